"""Who acts: an opaque id, never a name or an address."""

from dataclasses import dataclass
from uuid import UUID


@dataclass(frozen=True, slots=True)
class Actor:
    """`id` is `psn_…` for a person, `cli_…` for a client, `process:<name>` for a process.

    `controller_id` is None for processes and for staff of the whole installation.
    """

    id: str
    role: str
    controller_id: UUID | None
    person_id: UUID | None = None
    client_id: UUID | None = None


def process_actor(name: str) -> Actor:
    """The actor for what a process does of its own accord: `eraser`, `attester`, `worker`."""
    return Actor(id=f"process:{name}", role="process", controller_id=None)
