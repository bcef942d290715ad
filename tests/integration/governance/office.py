"""Staff of one controller and their acts on requests, for tests of what follows from them."""

from dataclasses import dataclass, field
from uuid import UUID, uuid4

from core import effects, ids
from core.actors import Actor
from core.ids import PublicId
from governance.domain.law import Channel, ErasureGround
from governance.models import SubjectRequest
from governance.services import requests
from tests.fakes.world import World

GROUND = ErasureGround.B


@dataclass
class Office:
    """Staff of one controller, and the acts on one request."""

    world: World
    people: dict[str, Actor] = field(default_factory=dict)

    def person(self, role: str, person_id: UUID | None = None) -> Actor:
        person_id = person_id or uuid4()
        return Actor(
            ids.format(PublicId.PERSON, person_id), role, self.world.controller_id, person_id
        )

    def staff(self, role: str) -> Actor:
        return self.people.setdefault(role, self.person(role))

    def open(self, subject_id: UUID, **more: object) -> SubjectRequest:
        terms = {
            "controller_id": self.world.controller_id,
            "kind": "erasure",
            "subject_id": subject_id,
            "ground": GROUND,
            "channel": Channel.WEB,
            "received_at": self.world.now,
            "actor": self.world.actor,
            "now": self.world.now,
        }
        return requests.open_request(**(terms | more))  # type: ignore[arg-type]

    def act(
        self, name: str, request: SubjectRequest, actor: Actor, version: int | None = None
    ) -> SubjectRequest:
        more = {"outcome": "erase", "ground": GROUND} if name == "draft" else {}
        current = requests.get(
            controller_id=self.world.controller_id, request_id=request.id
        ).version
        done: SubjectRequest = getattr(requests, name)(
            controller_id=self.world.controller_id,
            request_id=request.id,
            expected_version=current if version is None else version,
            actor=actor,
            now=self.world.now,
            **more,
        )
        return done

    def approved(self, subject_id: UUID) -> SubjectRequest:
        request = self.open(subject_id)
        self.act("draft", request, self.staff("analyst"))
        return self.act("approve", request, self.staff("compliance-officer"))

    def released(self, subject_id: UUID) -> SubjectRequest:
        return self.act("release", self.approved(subject_id), self.staff("key-custodian"))

    def run(self) -> None:
        """Let the eraser and the attester do all that is due."""
        self.world.later(minutes=10)
        for queue in ("shred", "attest", "attest"):
            effects.sweep(queue=queue, now=self.world.now)


def reread(request: SubjectRequest) -> SubjectRequest:
    return SubjectRequest.objects.get(id=request.id)
