from governance.models.consent import ConsentRecord, ConsentStatus, Notice
from governance.models.leases import Disclosure, Lease
from governance.models.mass import MassAct, MassDecision
from governance.models.registry import Category, Purpose, PurposeVersion
from governance.models.removals import RemovalAcknowledgement
from governance.models.requests import Certificate, Decision, SubjectRequest

__all__ = [
    "Category",
    "Certificate",
    "ConsentRecord",
    "ConsentStatus",
    "Decision",
    "Disclosure",
    "Lease",
    "MassAct",
    "MassDecision",
    "Notice",
    "Purpose",
    "PurposeVersion",
    "RemovalAcknowledgement",
    "SubjectRequest",
]
