"""Checks of an evidence bundle: its zip and manifest, its documents, and the story they tell.

Format: `docs/formats/bundle.md`. Nothing here trusts its input.
"""

from __future__ import annotations

import hashlib
from typing import Any, Dict, List, Optional, Set, Tuple

from contracts.verifier import documents, opened, schema_parts, shapes, story, strict_json, zipped
from contracts.verifier.envelope import Keys, keys_problems
from contracts.verifier.log import Entry
from contracts.verifier.report import (
    FAILS,
    HOLDS,
    INVALID,
    LEVELS,
    LOGGED,
    NOT_SHOWN,
    SIGNED,
    TOLD_ALIKE,
    UNREADABLE,
    VALID,
    Check,
    Report,
)
from contracts.verifier.shapes import listed, members, text

FILE_TYPE = "urn:lethe:bundle:v1"
MANIFEST = "bundle.json"
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


class Bundle:
    """What was found: a report of each document, and what concerns all of them."""

    kind = "bundle"

    def __init__(self) -> None:
        self.checks: List[Check] = []
        self.unreadable: Optional[str] = None
        self.documents: List[Tuple[str, Report]] = []
        self.is_told = False

    @property
    def levels(self) -> Dict[int, str]:
        """Of each level whether it holds, fails, or is not shown, over all documents."""
        failed = {check.level for check in self.checks if not check.passed}
        found = {level: self._level(level, failed) for level in LEVELS}
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

    @property
    def verdict(self) -> str:
        """Whether all of it can be relied on as far as its levels go."""
        if self.unreadable is not None:
            return UNREADABLE
        return INVALID if FAILS in self.levels.values() else VALID

    def check(self, name: str, problems: List[str], level: int = SIGNED) -> bool:
        """Record one check; true when there are no problems."""
        self.checks.append(Check(name, not problems, "; ".join(problems[:5]), level))
        return not problems

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
        manifest = strict_json.read(files.get(MANIFEST, b""))
    except (zipped.NotSuchZipError, strict_json.NotStrictError) as error:
        bundle.unreadable = "the bundle cannot be read: " + str(error)
        return bundle
    if not bundle.check("manifest", _manifest_problems(manifest, files)):
        return bundle
    by_role: Dict[str, List[str]] = {role: [] for role in _ROLES}
    for file in manifest["files"]:
        by_role[file["role"]].append(file["name"])
    own = files[by_role["keys"][0]]
    for name in by_role["document"]:
        report = documents.examine(files[name], own if keys_content is None else keys_content)
        if keys_content is None and report.keys_from == "given":
            report.keys_from = "file"
        bundle.documents.append((name, report))
        bundle.check("document " + name, [] if report.unreadable is None else ["is unreadable"])
    keys = _keys(own if keys_content is None else keys_content)
    heads = [entry for _, report in bundle.documents for entry in report.heads]
    for name in by_role["events"] if keys is not None else []:
        heads += _examine_events(bundle, files[name], keys or {})
    bundle.check("log: one history", _history_problems(heads), LOGGED)
    return bundle


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
    listed_ = [(file["name"], file["sha256"]) for file in manifest["files"]]
    held = [
        (name, hashlib.sha256(content).hexdigest())
        for name, content in files.items()
        if name != MANIFEST
    ]
    roles = [file["role"] for file in manifest["files"]]
    if listed_ != held:
        found.append("the manifest does not list what is in the zip")
    if roles.count("keys") != 1 or not roles.count("document") or roles.count("events") > 1:
        found.append("the bundle has not the files that one has")
    for file in manifest["files"]:
        if file["role"] == "document" and _has_keys(files.get(file["name"], b"")):
            found.append("a document brings keys of its own")
    return found


def _has_keys(content: bytes) -> bool:
    try:
        file = strict_json.read(content)
    except strict_json.NotStrictError:
        return False
    return isinstance(file, dict) and "keys" in file


def _keys(content: bytes) -> Optional[Keys]:
    try:
        document = strict_json.read(content)
    except strict_json.NotStrictError:
        return None
    if keys_problems(document):
        return None
    return {key["key_id"]: key for key in document["keys"]}


def _examine_events(bundle: Bundle, content: bytes, keys: Keys) -> List[Entry]:
    """That the log has these events, and that they tell what the certificates tell; the heads."""
    try:
        file = strict_json.read(content)
    except strict_json.NotStrictError as error:
        bundle.check("events", [str(error)], TOLD_ALIKE)
        return []
    if not bundle.check("events", shapes.faults(file, _EVENTS, {}, "events"), TOLD_ALIKE):
        return []
    events = [entry["event"] for entry in file["entries"]]
    problems = [] if all(one["trail"] is None for one in events) else ["an event is of a person"]
    found = [opened.examine(part, keys) for part in file["entries"]]
    for one in found:
        problems += one.inclusion + one.head
    told = [
        report.predicate
        for _, report in bundle.documents
        if report.kind == "certificate"
        and report.predicate is not None
        and report.predicate["scope"]["kind"] == "subject"
    ]
    bundle.check("events: in the log", problems, TOLD_ALIKE)
    if not told:
        bundle.check("events: story", ["no certificate of a person's erasure is there"], TOLD_ALIKE)
    for predicate in told:
        bundle.check("events: story", story.problems(predicate, events), TOLD_ALIKE)
    bundle.is_told = True
    return [one.entry for one in found if one.entry is not None]
