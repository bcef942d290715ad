"""The evidence bundle of a request: its documents and all it takes to check them, as one zip.

Format: `docs/formats/bundle.md`.
"""

import hashlib
import json
import zipfile
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from io import BytesIO
from typing import Any, Final
from uuid import UUID

from django.conf import settings

from contracts.services import single_file
from contracts.verifier import bundle, story
from core import signing_keys
from core.logging import get_logger
from core.models import AuditEvent
from core.unit_of_work import no_open_transaction
from governance.models import Certificate, SubjectRequest
from governance.services import certificates, log_parts, receipts, requests

logger = get_logger(__name__)
#: The steps that the story of an erasure is told by, of those that name it.
_STEPS: Final = (
    "governance.request.released",
    *(
        f"vault.shredding.{step}"
        for step in ("fenced", "drained", "ordered", "keys_destroyed", "swept", "verified")
    ),
)
#: What a zip's entries are dated: the first day that a zip knows, so that no two differ by it.
_DATE: Final = (1980, 1, 1, 0, 0, 0)
_README: Final = """\
Evidence in a case, from Lethe {version}

Check it, without a network and without us, with any Python from 3.9 on:

    python3 verify.py THIS-BUNDLE.zip
    python3 verify.py THIS-BUNDLE.zip --keys KEYS.json    with the keys that are published at
                                       {url}/.well-known/lethe-keys

verify.py and keys.json are copies for your convenience. Whoever doubts us takes the verifier from
its source, or the other one, written independently, and the keys from where they are published.

Documents:
{documents}
What the verifier says is not proven, is not proven: read that part, too.
"""


@no_open_transaction
def of_request(*, controller_id: UUID, request_id: UUID, now: datetime) -> bytes:
    """The zip: record of the decisions, certificates, and the events once all are published.

    Raises RequestNotFound, NothingDecided, Unavailable (the signer).
    """
    request = requests.get(controller_id=controller_id, request_id=request_id)
    decision = receipts.of_request(controller_id=controller_id, request_id=request_id, now=now)
    files = {"receipt-decisions.json": ("document", _json(_without_keys(decision)))}
    issued = certificates.of_erasure(controller_id=controller_id, erasure_id=request.erasure_id)
    for row in issued:
        content = _json(_without_keys(certificates.file(row)))
        files[f"certificate-{row.kind}.json"] = ("document", content)
    events = _events(request) if issued else None
    if events is not None and _tells(events["entries"], issued):
        files["events.json"] = ("events", _json(events))
    return zip_of(files)


def _events(request: SubjectRequest) -> dict[str, Any] | None:
    """What the log's events tell of the erasure; None until all of them are published."""
    rows = AuditEvent.objects.filter(erasure_id=request.erasure_id, action__in=_STEPS)
    own = {row.id: row for row in [*receipts.decisions(request), *rows.order_by("id")]}
    entries = []
    for row in own.values():
        entry = log_parts.of_event(row)
        if entry is None:
            return None
        entries.append({name: entry[name] for name in ("event", "r", "proof")})
    return {"format": story.FILE_TYPE, "entries": entries}


def _tells(entries: Sequence[Mapping[str, Any]], issued: Sequence[Certificate]) -> bool:
    """Whether the events tell what the certificates do.

    After a restore some are lost, and the erasure was told anew: then level 3 is not shown.
    """
    events = [dict(entry["event"]) for entry in entries]
    problems = [
        problem for row in issued for problem in story.problems(certificates.stated(row), events)
    ]
    if problems:
        logger.warning("bundle.story_incomplete", reason=problems[0])
    return not problems


def _without_keys(file: Mapping[str, Any]) -> dict[str, Any]:
    return {name: part for name, part in file.items() if name != "keys"}


def zip_of(documents: Mapping[str, tuple[str, bytes]]) -> bytes:
    """A bundle of these files, (role, content) each, with keys, verifier and a readme."""
    files = {
        "readme.txt": ("text", _readme(documents).encode()),
        **documents,
        "keys.json": ("keys", _json(signing_keys.published())),
        "verify.py": ("program", single_file.verifier().encode()),
    }
    listed = [
        {"name": name, "role": role, "sha256": hashlib.sha256(content).hexdigest()}
        for name, (role, content) in files.items()
    ]
    manifest = _json({"format": bundle.FILE_TYPE, "files": listed})
    contents = {bundle.MANIFEST: manifest, **{n: content for n, (_, content) in files.items()}}
    made = BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_STORED) as archive:
        for name, content in contents.items():
            archive.writestr(zipfile.ZipInfo(name, _DATE), content)
    return made.getvalue()


def _readme(documents: Iterable[str]) -> str:
    return _README.format(
        version=settings.LETHE_VERSION,
        url=settings.LETHE_PUBLIC_URL.rstrip("/"),
        documents="".join(f"    {name}\n" for name in documents),
    )


def _json(value: Any) -> bytes:
    return (json.dumps(value, indent=1, sort_keys=True, ensure_ascii=False) + "\n").encode()
