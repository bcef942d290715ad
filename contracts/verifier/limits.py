"""What is proven of a document and what is not, in plain words."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any, List

from contracts.verifier.anchors import Anchor
from contracts.verifier.report import HOLDS, Report

PROVEN = (
    "The holder of the signing key made exactly this statement; no part of it was changed since.",
    "The statement has the prescribed shape and does not contradict itself.",
)
LOGGED = (
    "The log has an entry that commits to this certificate and to nothing else, under a head that "
    "the holder of the log's key signed."
)
NOT_PROVEN = (
    "That the statement is true: the signer says what it read in the key store.",
    "That nobody copied the data or the keys before they were destroyed.",
    "That no operator of the key store or of a backup kept a key.",
)
UNLOGGED = "When it was signed: this file holds no transparency log proof and no chain anchor."
UNANCHORED = (
    "When it entered the log, and that the log shows everybody the same: heads have no trusted "
    "time, and this file holds no chain anchor. Compare the head with one that others have seen."
)
SAID_TO_BE_ANCHORED = (
    "When it entered the log: the file says which blocks of which chains keep heads with it, and "
    "nothing in it proves that. Look a block up on a node that you trust, or have it asked (--rpc)."
)
IN_BLOCKS = (
    "When it entered the log: the file shows that blocks of these hashes have heads with it, not "
    "that the chains have such blocks. Compare a hash with a source that you trust (--block-hash), "
    "or have a node asked (--rpc)."
)
SAID_TO_BE_STAMPED = (
    "When it entered the log: the file holds a timestamp token over a head with it, whose "
    "signature is not checked here. Write it out (--stamps) and have openssl verify it with the "
    "certificates of an authority that you trust."
)
TOLD_BY_HASH = (
    "That the chain keeps the block whose hash was given: you, or the source that you have it "
    "from, said so."
)
TOLD_BY_NODE = (
    "That the node which was asked told the truth, and that its chain keeps the block for ever."
)
THREE_PERSONS = "That the three persons named by pseudonym are three human beings."
KEPT_DATA = "What other data of the person is kept: this certificate is about a part of it."
UNPUBLISHED = (
    "That the signing key is the controller's: it was taken from the file itself. Compare it with "
    "the published one (/.well-known/lethe-keys), or give that with --keys."
)
PENDING = (
    "That no backup can bring the keys back: that date is not established, so this certificate "
    "is interim."
)
BY_WORD = (
    "That the copies which rest on an operator's word ended when it says: they could not be read."
)
ENDED = "That there was no copy of the stores besides those in the inventory of backups."
ABSENT = "That the key shares read as absent were destroyed: the key store merely lacks them."
LOST = (
    "That the key shares called lost were destroyed: the key store had lost them before, and a "
    "copy of it that somebody kept may hold them."
)
UNREACHED = "What the unreachable nodes of the key store hold: they were not read."
STAND_IN = "Anything about key custody: a development stand-in held these keys, no key store."


#: What a receipt leaves open, by its kind.
RECORDED = "That the statement is true: the signer says what it recorded."
WHOSE = "Whose decision it was: nothing in it names a person; it belongs to whoever was given it."
WITHDRAWN = "Whether the consent was withdrawn since."
LOOK_AT_STATUS = "Whether the consent was withdrawn since: look at its place in the status list."
WHEN_RECEIVED = (
    "When the request was received and was due, and how it stands: the log has the acts alone."
)
PERSONS = "That the persons named by pseudonym are different human beings."
PASSED_ON = "That nobody kept or passed on what was read."
STILL_OPEN = "What was read in the end: the lease was not closed when this was signed."
FACTS_LOGGED = (
    "The log has the entries that commit to what it says, under heads that the holder of the log's "
    "key signed."
)
ACTS_LOGGED = (
    "The log has an entry of every act that it names, under heads that the holder of the log's key "
    "signed."
)


def proven(report: Report) -> List[str]:
    """What holds for this very document."""
    said = list(PROVEN)
    if report.entries:
        said.append({"certificate": LOGGED, "decision": ACTS_LOGGED}.get(report.kind, FACTS_LOGGED))
    return said + [_confirmed(anchor) for anchor in report.confirmed]


def not_proven(report: Report) -> List[str]:
    """The limits that hold for this very document, which is valid."""
    is_certificate = report.kind == "certificate"
    said = [UNPUBLISHED] if report.keys_from == "file" else []
    said += NOT_PROVEN if is_certificate else [RECORDED, *_of_receipt(report)]
    said += _time_limits(report)
    return said + (_of_certificate(report.predicate) if is_certificate else [])


def _of_receipt(report: Report) -> List[str]:
    facts = report.predicate["facts"]
    if report.kind == "consent":
        if facts["decision"] != "given":
            return [WHOSE]
        return [WHOSE, LOOK_AT_STATUS if "status" in report.predicate else WITHDRAWN]
    if report.kind == "decision":
        return [WHEN_RECEIVED, PERSONS]
    return [PASSED_ON] if facts["closing"] is not None else [PASSED_ON, STILL_OPEN]


def _of_certificate(predicate: Any) -> List[str]:
    said = [THREE_PERSONS if predicate["scope"]["kind"] == "subject" else KEPT_DATA]
    if predicate["irrecoverable_from"]["state"] == "pending":
        said.append(PENDING)
    else:
        said.append(ENDED)
        inventory = predicate["irrecoverable_from"]["inventory"]
        if any(line["evidence"] == "signed-by-operator" for line in inventory):
            said.append(BY_WORD)
    if any(share["state"] == "absent" for share in predicate["shares"]):
        said.append(ABSENT)
    if any(share["state"] == "lost" for share in predicate["shares"]):
        said.append(LOST)
    if any(node["state"] == "unreachable" for node in predicate["nodes"]):
        said.append(UNREACHED)
    if predicate["method"]["custodian"] == "keyring":
        said.append(STAND_IN)
    return said


def _time_limits(report: Report) -> List[str]:
    limit = _time_limit(report)
    if report.levels[2] == HOLDS or not report.entries:
        return [limit]
    if len(report.stamps) < len(report.entries):
        return [limit]
    return [SAID_TO_BE_STAMPED] if limit == UNANCHORED else [limit, SAID_TO_BE_STAMPED]


def _time_limit(report: Report) -> str:
    if not report.entries:
        return UNLOGGED
    if report.levels[2] == HOLDS:
        return TOLD_BY_NODE if report.was_asked else TOLD_BY_HASH
    if not all(report.anchors):
        return UNANCHORED
    if all(any(one.in_block for one in anchors) for anchors in report.anchors):
        return IN_BLOCKS
    return SAID_TO_BE_ANCHORED


def _confirmed(anchor: Anchor) -> str:
    said = (anchor.chain_id, anchor.part["block_number"], time_of(anchor.part["block_time"]))
    return "Chain %d has a head with that entry in block %d, since %s." % said


def time_of(seconds: int) -> str:
    """An instant as people read it."""
    try:
        return datetime.fromtimestamp(seconds, timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
    except (OverflowError, ValueError, OSError):
        return "second %d" % seconds
