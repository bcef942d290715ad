from vault.models.backups import BackupAttestation, BackupClearance, BackupInventory
from vault.models.gate import Destruction, GateLease, PendingEntry, Replay
from vault.models.grants import Alias, CustodyGrant, DataKey, KeyGrant, LostVersion, PurposeKey
from vault.models.prepared import PreparedSubject
from vault.models.records import LookupTag, SealedOpening, SealedRecord, SuppressionTag
from vault.models.rekeys import Rekey
from vault.models.rotation import Rotation
from vault.models.shredding import (
    DestructionAttestation,
    JournalHead,
    Removal,
    Shredding,
    ShreddingShare,
    ShredLock,
)
from vault.models.subjects import KeyShare, Subject

__all__ = [
    "Alias",
    "BackupAttestation",
    "BackupClearance",
    "BackupInventory",
    "CustodyGrant",
    "DataKey",
    "Destruction",
    "DestructionAttestation",
    "GateLease",
    "JournalHead",
    "KeyGrant",
    "KeyShare",
    "LookupTag",
    "LostVersion",
    "PendingEntry",
    "PreparedSubject",
    "PurposeKey",
    "Rekey",
    "Removal",
    "Replay",
    "Rotation",
    "SealedOpening",
    "SealedRecord",
    "ShredLock",
    "Shredding",
    "ShreddingShare",
    "Subject",
    "SuppressionTag",
]
