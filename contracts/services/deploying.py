"""Which contract is in use on a chain; the newest that was recorded."""

from datetime import datetime

from contracts.models import ChainContract
from contracts.ports import Deployment
from core import audit
from core.actors import Actor
from core.unit_of_work import unit_of_work


def record(chain: str, made: Deployment, *, operator: Actor, now: datetime) -> ChainContract:
    """From now on the chain's anchors go to this contract.

    Streams begin anew there; anchors in the contract before stay where they are, and are followed.
    """
    with unit_of_work():
        row = ChainContract.objects.create(
            chain=chain,
            name=made.name,
            chain_id=made.chain_id,
            genesis=made.genesis,
            address=made.address,
            block_number=made.block_number,
            block_hash=made.block_hash,
            source=made.source,
            code=made.code,
            deployed_at=now,
        )
        audit.record(
            action="contracts.chain.deployed",
            actor=operator,
            controller_id=None,
            now=now,
            details={"chain": chain, "contract": made.address, "name": made.name},
        )
    return row
