"""Who a purpose reads and who it does not, by reason, as of one moment. Counts only."""

from typing import Any, TypedDict
from uuid import UUID

from django.db.models import BinaryField, Q, QuerySet
from django.db.models.functions import Substr

from governance.domain.law import LawfulBasis
from governance.models import PurposeVersion
from governance.services import consent, purposes
from vault.domain.states import ShareState
from vault.models import Alias, KeyGrant, KeyShare, PurposeKey, Removal
from vault.services import lost_versions


class Exclusions(TypedDict):
    refused: int
    withdrawn: int
    undecided: int
    restricted: int
    erased: int
    key_lost: int


class Counts(TypedDict):
    subjects: int
    exclusions: Exclusions


def count(*, controller_id: UUID, version: PurposeVersion) -> Counts:
    """Living subjects are readable, refused, withdrawn or undecided; erased ones stand beside.

    `undecided` takes in those whose grant is still being made, `key_lost` those of whom a part
    cannot be opened since the key store lacks a key that nobody destroyed.
    """
    purpose_id = version.purpose_id
    tally = consent.counts(controller_id=controller_id, purpose_id=purpose_id)
    rests_on_consent = version.lawful_basis == LawfulBasis.CONSENT
    refused = tally["refused"] if rests_on_consent else 0
    withdrawn = tally["withdrawn"] if rests_on_consent else 0
    granted = Alias.objects.filter(
        purpose_id=purpose_id, ground__isnull=False, subject__state="live"
    )
    is_free = Q(restricted_at=None, subject__restricted_at=None)
    restricted = granted.exclude(is_free).count()
    is_lost = Q(subject__in=_lost(version)) | Q(id__in=_under_lost_versions(purpose_id))
    lost = granted.filter(is_lost, is_free).count()
    readable = granted.filter(is_free).count() - lost
    return {
        "subjects": readable,
        "exclusions": {
            "refused": refused,
            "withdrawn": withdrawn,
            "undecided": max(
                0, tally["subjects"] - readable - restricted - refused - withdrawn - lost
            ),
            "restricted": restricted,
            "erased": _erased(purpose_id),
            "key_lost": lost,
        },
    }


def _lost(version: PurposeVersion) -> QuerySet[KeyShare, Any]:
    groups = {category.group for category in purposes.category_refs(version)}
    rows = KeyShare.objects.filter(state=ShareState.LOST, group__in=groups)
    return rows.values("subject")


def _under_lost_versions(purpose_id: UUID) -> QuerySet[KeyGrant, Any]:
    """Aliases of grants whose wrapping key's version the key store lacks."""
    key = PurposeKey.objects.filter(purpose_id=purpose_id).values_list("name", flat=True).first()
    lost = [] if key is None else lost_versions.of_key(key)
    prefix = Substr("wrapped", 1, 4, output_field=BinaryField())
    of_purpose = KeyGrant.objects.filter(purpose_id=purpose_id).annotate(prefix=prefix)
    return of_purpose.filter(prefix__in=[one.to_bytes(4) for one in lost]).values("alias")


def _erased(purpose_id: UUID) -> int:
    """Erased subjects that had an alias here, and those fenced on their way there."""
    gone = Removal.objects.filter(purpose_id=purpose_id, reason=Removal.Reason.ERASED).count()
    fenced = Alias.objects.filter(purpose_id=purpose_id).exclude(subject__state="live").count()
    return gone + fenced
