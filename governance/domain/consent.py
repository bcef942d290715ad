"""What a source reports of one decision."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from governance.domain.law import Channel, ConsentDecision


@dataclass(frozen=True, slots=True)
class ConsentDraft:
    """One decision of one person about one purpose, as a source reports it.

    `text_digest` is the hex SHA-256 of the UTF-8 text that was shown (a notice is public).
    """

    subject_id: UUID
    purpose_id: UUID
    decision: ConsentDecision
    channel: Channel
    decided_at: datetime
    text_digest: str = ""
    language: str = ""
    is_explicit: bool = False
