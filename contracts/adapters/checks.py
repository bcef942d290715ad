"""What `manage.py doctor` says of the chains that the log is anchored on; no node is asked."""

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

from contracts.adapters import chains
from contracts.errors import NotDeployed
from contracts.services import anchoring, halts
from core.doctor import Finding


def findings() -> list[Finding]:
    """The configuration can be read; each chain has a contract and is not halted."""
    if not settings.LETHE_CHAINS:
        return []
    name = "the chains of LETHE_CHAINS can be read"
    try:
        rules = chains.rules()
    except ImproperlyConfigured as error:
        return [Finding(name, is_right=False, remedy=str(error))]
    return [Finding(name, is_right=True), *(one for chain in rules for one in _of(chain))]


def _of(chain: str) -> list[Finding]:
    halt = halts.current(chain)
    reason = "" if halt is None else f" ({halt.reason})"
    return [
        Finding(
            f"chain {chain} has a contract",
            _is_deployed(chain),
            f"Run `manage.py chain_deploy --chain {chain}`; docs/anchoring.md.",
        ),
        Finding(
            f"chain {chain} is not halted{reason}",
            halt is None,
            "Follow docs/runbooks/chain-halted.md, then `manage.py chain_resume`.",
        ),
    ]


def _is_deployed(chain: str) -> bool:
    try:
        anchoring.contract_of(chain)
    except NotDeployed:
        return False
    return True
