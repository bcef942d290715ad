"""What `manage.py doctor` and /readyz look at in vault: key store, pool, journal."""

from django.conf import settings

from core.canonical import instant
from core.doctor import Finding
from core.errors import ServiceError
from vault import runtime
from vault.adapters import journal_reader
from vault.models import PurposeKey
from vault.services import gate

#: A purpose takes a key for ever, so a pool is renewed before it is empty.
_FEW_KEYS = 4
_PROBE = b"lethe/doctor"
#: Processes that hold the right to make lookup tags, by which their login is tried.
_HASHING = ("web", "worker")


def gate_details() -> dict[str, object]:
    """How the gate stands, in words for an operator."""
    state = gate.state()
    return {
        "open": state.is_open,
        "reason": state.reason.value,
        "words": state.words,
        "trouble": state.trouble,
        "since": state.since and instant(state.since),
    }


def ready() -> list[Finding]:
    """The key store lets this process in, where there is a harmless call to try.

    A stream has nothing to serve while the gate is closed; the web process has.
    """
    if settings.LETHE_PROCESS == "stream":
        return [_gate()]
    if settings.LETHE_PROCESS not in _HASHING:
        return []
    remedy = (
        "Is the key store up and unsealed? Does LETHE_VAULT_ADDR name it, and do "
        "LETHE_VAULT_ROLE_ID and LETHE_VAULT_SECRET_ID belong to this process? "
        "`manage.py custodian_setup` prints new credentials."
    )
    try:
        runtime.hasher().tags(key="lookup", values=[_PROBE])
    except ServiceError:
        return [Finding("the key store answers this process", is_right=False, remedy=remedy)]
    return [Finding("the key store answers this process", is_right=True)]


def findings() -> list[Finding]:
    """For doctor: the key store, the pool of purpose keys, the journal, no stand-in."""
    return [*ready(), _gate(), _pool(), _journal(), _no_stand_in()]


def _gate() -> Finding:
    state = gate.state()
    return Finding(f"the gate is open ({state.reason.value})", state.is_open, state.words)


def _pool() -> Finding:
    free = PurposeKey.objects.filter(purpose_id=None).count()
    remedy = (
        "Run `manage.py custodian_setup --pool N` with a Vault administrator's token, then "
        "`manage.py register_purpose_keys`."
    )
    return Finding(f"purpose keys are left ({free} free)", free >= _FEW_KEYS, remedy)


def _journal() -> Finding:
    name = "the erasure journal can be read"
    remedy = (
        "A new installation: `manage.py found_journal`. Otherwise the journal's volume is missing "
        "or damaged: bring it back; never start a new one over an old database."
    )
    try:
        journal_reader.read_head(settings.LETHE_JOURNAL_DIR)
    except ServiceError:
        return Finding(name, is_right=False, remedy=remedy)
    return Finding(name, is_right=True)


def _no_stand_in() -> Finding:
    is_right = settings.LETHE_KEY_STORE != "keyring" or settings.LETHE_DEVELOPMENT
    remedy = "Set LETHE_KEY_STORE=hashicorp: the keyring is for trying the product only."
    return Finding("the key store is no stand-in", is_right, remedy)
