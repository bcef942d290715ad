"""Failures of custody, sealing and shredding."""

from core.errors import Conflict, Erased, IntegrityViolation, NotFound, Unavailable


class CustodianUnavailable(Unavailable):
    """The key store is down, sealed, slow or has no leader."""

    code = "key-store-unavailable"
    text = "The key store does not answer; nothing was lost. Try again."


class KeysChanging(CustodianUnavailable):
    """Keys of the data are being replaced, or ended, faster than this call could follow."""

    code = "keys-changing"
    text = "Keys of this data are being replaced or ended just now; nothing was lost. Try again."


class CustodianRefused(IntegrityViolation):
    """The key store refused a credential that this process should hold."""

    code = "key-store-refused"
    text = "The key store refuses this process; see `manage.py doctor`."


class JournalUnavailable(Unavailable):
    """The erasure journal cannot be written durably."""

    code = "journal-unavailable"
    text = "The erasure journal cannot be written; no destruction was started."


class JournalLocked(JournalUnavailable):
    """Another process is the journal's writer."""

    code = "journal-locked"
    text = "Another process writes the erasure journal."


class RestoreReplayRequired(Unavailable):
    """The gate is closed: a store may have been restored, and acts that it forgot would return."""

    code = "restore-replay-required"
    text = "Data is not served until journal, database and key store agree; nothing was lost."
    retry_after = 30


class SubjectNotFound(NotFound):
    """No such subject, or another controller's."""

    code = "subject-not-found"
    text = "No data subject of yours has this id."


class SubjectErased(Erased):
    """The subject is fenced or erased."""

    code = "erased"


class KeyLost(IntegrityViolation):
    """The key store no longer holds a share that was never destroyed."""

    code = "key-lost"
    text = "The key of a living data subject is missing from the key store."


class KeyStillAlive(IntegrityViolation):
    """A share read as live after it was destroyed."""

    code = "key-still-alive"
    text = "A destroyed key still reads as live; the erasure is not complete."


class PageTooLate(Unavailable):
    """A page was opened too slowly to be written before an erasure may go on."""

    code = "page-too-late"
    text = "The page could not be opened in time; resume from the last cursor."


class CiphertextTampered(IntegrityViolation):
    """A stored record does not open under its own key and binding."""

    code = "record-tampered"
    text = "A stored record does not match its binding."


class ShredBlocked(Conflict):
    """A lock forbids the destruction."""

    code = "shred-locked"
    text = "A legal hold or retention floor blocks this erasure."


class TooLate(Conflict):
    """The destruction has been ordered and cannot be stopped."""

    code = "too-late"
    text = "The destruction has been ordered; it can no longer be stopped."
