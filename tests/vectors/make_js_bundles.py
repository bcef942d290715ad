"""Synthetic bundles, made from docs/formats/bundle.md alone, for the verifier in JavaScript."""

import hashlib
import json
import struct
import zlib
from collections.abc import Mapping, Sequence
from typing import Any

from tests.vectors import make_certificate as maker
from tests.vectors import make_js_receipts as receipts

Files = dict[str, bytes]
ROLES = {
    "keys.json": "keys",
    "events.json": "events",
    "verify.py": "program",
    "readme.txt": "text",
}
KEYS = maker.keys_document(maker.TestKeySigner(), maker.LOGGERD)


def as_json(value: Any) -> bytes:
    return json.dumps(value).encode()


def without_keys(made: Mapping[str, Any]) -> bytes:
    return as_json({name: part for name, part in made.items() if name != "keys"})


def certificate(content: dict[str, Any] | None = None, *, size: int = 67) -> bytes:
    made = maker.certificate(content or maker.predicate())
    return without_keys(maker.logged(made, size=size))


def story(mass_act: str | None = None) -> list[dict[str, Any]]:
    """What the log's events have to tell of the synthetic certificate."""
    stated = maker.predicate()
    roles, erasure = stated["roles"], receipts.uuid_of(stated["erasure_id"])
    steps = {
        "fenced": ("fenced_at", "releaser"),
        "drained": ("drained_at", "eraser"),
        "ordered": ("ordered_at", "eraser"),
        "keys_destroyed": ("destroyed_at", "eraser"),
        "swept": ("swept_at", "eraser"),
        "verified": ("verified_at", "attester"),
    }
    named = {"request": receipts.REQUEST}
    about, kind = (named, "request")
    if mass_act is not None:
        about, kind = {"mass_act": mass_act}, "mass-act"
    early, late = "2026-03-05T10:00:00.000000Z", "2026-03-06T10:00:00.000000Z"
    return [
        receipts.event(f"governance.{kind}.drafted", roles["drafter"], early, details=about),
        receipts.event(
            f"governance.{kind}.approved", roles["approver"], stated["decided_at"], details=about
        ),
        receipts.event(
            "governance.request.released",
            roles["releaser"],
            late,
            erasure=erasure,
            details={**named, **about},
        ),
        *(
            receipts.event(f"vault.shredding.{step}", roles[role], stated[time], erasure=erasure)
            for step, (time, role) in steps.items()
        ),
    ]


def events(told: Sequence[dict[str, Any]]) -> dict[str, Any]:
    entries = [receipts.entry(one, size=120 + at) for at, one in enumerate(told)]
    return {"format": "urn:lethe:events:v1", "entries": entries}


def files(told: Sequence[dict[str, Any]] | None = None) -> Files:
    """The files of a good bundle, but for the manifest."""
    return {
        "keys.json": as_json(KEYS),
        "certificate-1.json": certificate(),
        "receipt-1.json": without_keys(receipts.whole("decision")),
        **({} if told is None else {"events.json": as_json(events(told))}),
        "verify.py": b"print()\n",
        "readme.txt": b"What this is.\n",
    }


def manifest(content: Files) -> dict[str, Any]:
    listed = [
        {
            "name": name,
            "role": ROLES.get(name, "document"),
            "sha256": hashlib.sha256(part).hexdigest(),
        }
        for name, part in content.items()
    ]
    return {"format": "urn:lethe:bundle:v1", "files": listed}


def bundle(content: Files, listed: Any = None) -> bytes:
    return zipped({"bundle.json": as_json(listed or manifest(content)), **content})


def zipped(content: Mapping[str, bytes]) -> bytes:
    """The restricted form, by APPNOTE alone: no library writes exactly this."""
    local, central = b"", b""
    for name, part in content.items():
        sizes = (zlib.crc32(part), len(part), len(part), len(name), 0)
        head = struct.pack("<5H3I2H", 20, 0, 0, 0, 0x21, *sizes)
        central += b"PK\x01\x02\x14\x00" + head + struct.pack("<3H2I", 0, 0, 0, 0, len(local))
        central += name.encode()
        local += b"PK\x03\x04" + head + name.encode() + part
    count = len(content)
    end = struct.pack("<4H2IH", 0, 0, count, count, len(central), len(local), 0)
    return local + central + b"PK\x05\x06" + end
