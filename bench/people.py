"""One controller with a source, a pipeline, a category and a purpose; synthetic documents."""

import json
import random
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from uuid import UUID, uuid4

import requests

from bench.installation import Bench

SCHEMA = {
    "type": "object",
    "properties": {"text": {"type": "string"}, "n": {"type": "integer"}},
    "required": ["text", "n"],
}
_FILL = 940


@dataclass(slots=True)
class Cast:
    """Ids and tokens that the measurements use."""

    bench: Bench
    controller_id: UUID
    purpose_id: UUID
    category_id: UUID
    purpose_public: str
    source: requests.Session
    pipeline: requests.Session
    source_id: UUID
    secrets: Mapping[str, tuple[str, str]]

    def sign_in(self) -> None:
        """Tokens anew: they live ten minutes, and a run may take longer."""
        for session, made in ((self.source, "source"), (self.pipeline, "pipeline")):
            _sign_in(self.bench, session, *self.secrets[made])


def document(random_: random.Random, number: int) -> dict[str, object]:
    """About 1 KB of JSON."""
    return {"text": random_.randbytes(_FILL // 2).hex(), "n": number}


def lines(items: Iterable[Mapping[str, object]]) -> bytes:
    """NDJSON."""
    return b"".join(json.dumps(item, separators=(",", ":")).encode() + b"\n" for item in items)


def make(bench: Bench) -> Cast:
    """Create everything through the services, then sign the two clients in over HTTP."""
    from accounts.services import controllers
    from core import clock
    from core.actors import Actor
    from governance.domain.law import LawfulBasis
    from governance.services import categories, purposes
    from governance.services.purposes import VersionDraft

    now = clock.now()
    actor = Actor("process:bench", "process", None)
    controller = controllers.create(
        slug="bench", name="Bench (synthetic)", country="DE", actor=actor, now=now
    )
    staff = Actor("psn_bench", "compliance-officer", controller.id, person_id=uuid4())
    category = categories.create(
        controller_id=controller.id, code="notes", name="Notes", schema=SCHEMA,
        is_special=False, key_group="main", actor=staff, now=now,
    )  # fmt: skip
    purpose = purposes.create(
        controller_id=controller.id, code="research", name="Research", actor=staff, now=now
    )
    draft = VersionDraft(LawfulBasis.CONSENT, None, {"notes": ["*"]}, 365)
    of = {"controller_id": controller.id, "purpose_id": purpose.id}
    version = purposes.draft_version(**of, draft=draft, actor=staff, now=now)
    other = Actor("psn_other", "compliance-officer", controller.id, person_id=uuid4())
    purposes.activate(**of, number=version.number, actor=other, now=now)
    return _sign_up(bench, controller.id, purpose.id, category.id)


def _sign_up(bench: Bench, controller_id: UUID, purpose_id: UUID, category_id: UUID) -> Cast:
    """The two clients, with tokens that the web process gave them."""
    from accounts.services import clients
    from core import clock
    from core.actors import Actor
    from governance.adapters.scopes import purpose_scope

    actor = Actor("process:bench", "process", None)
    scopes = {
        "source": ["records:write", "records:read", "consent:write"],
        "pipeline": [purpose_scope(purpose_id)],
    }
    made = {
        kind: clients.create(
            controller_id=controller_id, name=kind, kind=kind, scopes=given, actor=actor,
            now=clock.now(),
        )
        for kind, given in scopes.items()
    }  # fmt: skip
    bench.start("web")
    cast = Cast(
        bench, controller_id, purpose_id, category_id, scopes["pipeline"][0].split(":")[1],
        requests.Session(), requests.Session(), made["source"][0].id,
        {kind: (client.client_id, secret) for kind, (client, secret) in made.items()},
    )  # fmt: skip
    cast.sign_in()
    return cast


def _sign_in(bench: Bench, session: requests.Session, client_id: str, secret: str) -> None:
    session.trust_env = False
    # In a session of its own: other threads go on with the old token until the new one is there.
    with requests.Session() as own:
        own.trust_env = False
        answer = own.post(
            f"{bench.url}/o/token",
            data={"grant_type": "client_credentials"},
            auth=(client_id, secret),
            timeout=30,
        )
    answer.raise_for_status()
    session.headers["Authorization"] = f"Bearer {answer.json()['access_token']}"
