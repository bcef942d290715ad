"""Checks of an evidence bundle: its zip and manifest, its documents, and the story they tell.

Format: `docs/formats/bundle.md`. Nothing here trusts its input.
"""

from __future__ import annotations

import hashlib
import re
from typing import Any, Dict, List, Optional, Set, Tuple

from contracts.verifier import documents, opened, schema_parts, shapes, story, strict_json, zipped
from contracts.verifier.envelope import Keys, keys_problems
from contracts.verifier.log import Entry
from contracts.verifier.report import (
    FAILS,
    HOLDS,
    LEVELS,
    LOGGED,
    NOT_SHOWN,
    SIGNED,
    TOLD_ALIKE,
    VALID,
    Findings,
    Report,
)
from contracts.verifier.shapes import listed, members, text

FILE_TYPE = "urn:lethe:bundle:v1"
MANIFEST = "bundle.json"
#: What documents are called.
_DOCUMENT = re.compile("(certificate|receipt)-[a-z0-9.-]+[.]json")
_ROLES = ("keys", "document", "events", "program", "text")
_SHAPE = members(
    {
        "format": {"const": FILE_TYPE},
        "files": listed(
            members(
                {
                    "name": text("[a-z0-9][a-z0-9.-]{0,63}"),
                    "role": {"enum": list(_ROLES)},
                    "sha256": schema_parts.HEX32,
                }
            ),
            1,
            63,
        ),
    }
)
_EVENTS = members(
    {
        "format": {"const": story.FILE_TYPE},
        "entries": listed(schema_parts.EVENT_ENTRY, 1, 1000),
    }
)


class Bundle(Findings):
    """What was found: a report of each document, and what concerns all of them."""

    kind = "bundle"

    def __init__(self) -> None:
        super().__init__()
        self.documents: List[Tuple[str, Report]] = []
        self.is_told = False

    @property
    def levels(self) -> Dict[int, str]:
        """Of each level whether it holds, fails, or is not shown, over all documents."""
        failed = self.failed
        found = {level: self._level(level, failed) for level in LEVELS}
        if self.unreadable is not None or not self.documents:
            found[SIGNED] = FAILS
        if found[SIGNED] == FAILS:
            return {**dict.fromkeys(LEVELS, NOT_SHOWN), SIGNED: FAILS}
        return found

    def _level(self, level: int, failed: Set[int]) -> str:
        if level in failed:
            return FAILS
        if level == TOLD_ALIKE:
            return HOLDS if self.is_told else NOT_SHOWN
        of_each = {report.levels[level] for _, report in self.documents}
        return FAILS if FAILS in of_each else NOT_SHOWN if of_each != {HOLDS} else HOLDS

    @property
    def level(self) -> Optional[int]:
        """The lowest of its documents' levels; None unless the bundle is valid."""
        if self.verdict != VALID:
            return None
        return min(report.level or 0 for _, report in self.documents)

    def ask(self, url: str) -> None:
        """Ask the node at `url` for the anchors of every document."""
        for _, report in self.documents:
            report.ask(url)

    def believe(self, blocks: Set[str]) -> None:
        """Take these hashes for those of blocks that the chains have."""
        for _, report in self.documents:
            report.believe(blocks)


def examine(content: bytes, keys_content: Optional[bytes] = None) -> Bundle:
    """Check the bytes of a bundle, with the published keys document when given."""
    bundle = Bundle()
    try:
        files = zipped.read(content)
        given = None if keys_content is None else strict_json.read(keys_content)
        manifest = _manifest(files)
    except (zipped.NotSuchZipError, strict_json.NotStrictError) as error:
        bundle.unreadable = "the bundle or the keys cannot be read: " + str(error)
        return bundle
    if not bundle.check("manifest", _manifest_problems(manifest, files)):
        return bundle
    by_role: Dict[str, List[str]] = {role: [] for role in _ROLES}
    for file in manifest["files"]:
        by_role[file["role"]].append(file["name"])
    own, events = _read(files["keys.json"]), _read(files.get("events.json", b"null"))
    problems = keys_problems(own) + ([] if given is None else keys_problems(given))
    if by_role["events"]:
        problems += shapes.faults(events, _EVENTS, {}, "events")
    if not bundle.check("keys and events", problems):
        return bundle
    for name in by_role["document"]:
        _examine_document(bundle, name, files, keys_content)
    heads = [entry for _, report in bundle.documents for entry in report.heads]
    if by_role["events"] and bundle.levels[SIGNED] == HOLDS:
        document = own if given is None else given
        keys = {key["key_id"]: key for key in document["keys"]}
        heads += _examine_events(bundle, events["entries"], keys)
    bundle.check("log: one history", _history_problems(heads), LOGGED)
    return bundle


def _manifest(files: Dict[str, bytes]) -> Any:
    manifest = strict_json.read(files.get(MANIFEST, b""))
    if not isinstance(manifest, dict) or manifest.get("format") != FILE_TYPE:
        raise strict_json.NotStrictError("it is no bundle of this format")
    return manifest


def _read(content: bytes) -> Any:
    """The JSON in it; None for what is none."""
    try:
        return strict_json.read(content)
    except strict_json.NotStrictError:
        return None


def _examine_document(
    bundle: Bundle, name: str, files: Dict[str, bytes], keys_content: Optional[bytes]
) -> None:
    keys = files["keys.json"] if keys_content is None else keys_content
    report = documents.examine(files[name], keys)
    if keys_content is None and report.keys_from == "given":
        report.keys_from = "file"
    bundle.documents.append((name, report))
    problems = [] if report.unreadable is None else [report.unreadable]
    file = _read(files[name])
    if isinstance(file, dict) and "keys" in file:
        problems.append("it brings keys of its own")
    bundle.check("document " + name, problems)


def _history_problems(heads: List[Entry]) -> List[str]:
    """Whether the log has signed two histories, which it shows to different people."""
    roots: Dict[Tuple[str, int], Set[bytes]] = {}
    for head in heads:
        roots.setdefault((head.origin, head.size), set()).add(head.root)
    if any(len(of_one) > 1 for of_one in roots.values()):
        return ["the log signed two heads of one size that differ"]
    return []


def _manifest_problems(manifest: Any, files: Dict[str, bytes]) -> List[str]:
    """Why the manifest does not say what is in the zip."""
    found = shapes.faults(manifest, _SHAPE, {}, "manifest")
    if found:
        return found
    told = [(file["name"], file["sha256"]) for file in manifest["files"]]
    held = [
        (name, hashlib.sha256(content).hexdigest())
        for name, content in files.items()
        if name != MANIFEST
    ]
    if told != held:
        found.append("the manifest does not list what is in the zip")
    roles = [file["role"] for file in manifest["files"]]
    if roles.count("keys") != 1 or not roles.count("document") or roles.count("events") > 1:
        found.append("the bundle has not the files that one has")
    if not all(_is_called_so(file["name"], file["role"]) for file in manifest["files"]):
        found.append("a file has not the name of its role")
    return found


def _is_called_so(name: str, role: str) -> bool:
    for only in ("keys", "events"):
        if only + ".json" == name or only == role:
            return only + ".json" == name and only == role
    return (_DOCUMENT.fullmatch(name) is not None) == (role == "document")


def _examine_events(bundle: Bundle, entries: List[Any], keys: Keys) -> List[Entry]:
    """That the log has these events, and that they tell what certificates tell; the heads."""
    found = [opened.examine(part, keys) for part in entries]
    problems = [text for one in found for text in one.unread + one.inclusion + one.head]
    bundle.check("events: in the log", problems, TOLD_ALIKE)
    told = [
        (name, report.predicate)
        for name, report in bundle.documents
        if report.kind == "certificate" and report.predicate["scope"]["kind"] == "subject"
    ]
    events = [part["event"] for part in entries]
    missing = [] if told else ["no certificate of a person's erasure is there"]
    bundle.check("events: certificates", missing, TOLD_ALIKE)
    for name, predicate in told:
        bundle.check("events: " + name, story.problems(predicate, events), TOLD_ALIKE)
    bundle.is_told = True
    return [one.entry for one in found if one.entry is not None]
