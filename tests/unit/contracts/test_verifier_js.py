"""The verifier in JavaScript agrees with the one in Python: golden files, every mutation."""

import base64
import copy
import json
import os
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from contracts.verifier import documents, words
from contracts.verifier.schema import EFFECT_TEXTS, FILE_TYPE
from core import canonical, dsse
from tests.vectors import cosigned
from tests.vectors import make_certificate as maker

ROOT = Path(__file__).parents[3]
VECTORS = ROOT / "tests" / "vectors"
CLI = ROOT / "contracts" / "verifier_js" / "cli.mjs"
NODE = shutil.which("node")
ACTS: dict[str, Any] = {"null": None, "text": "Ada", "number": -1, "list": [[]], "object": {}}
#: Who else may have signed: by the seed's byte.
OTHERS = ((3, "attester"), (4, "web"))
pytestmark = pytest.mark.skipif(
    NODE is None and os.environ.get("LETHE_TEST_REQUIRE") != "1", reason="needs Node.js"
)


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    if isinstance(value, dict | list):
        for key, item in value.items() if isinstance(value, dict) else enumerate(value):
            yield from places(item, (*path, key))
    if path:
        yield path


def mutated(value: Any) -> Iterator[Any]:
    """Every place of it dropped, doubled where it can be, and of another type."""
    for path in places(value):
        for act in ("drop", "double", *ACTS):
            changed = copy.deepcopy(value)
            parent: Any = changed
            for key in path[:-1]:
                parent = parent[key]
            if act == "drop":
                del parent[path[-1]]
            elif act == "double" and isinstance(parent, list):
                parent.append(parent[path[-1]])
            elif act == "double":
                parent["one-more"] = parent[path[-1]]
            else:
                parent[path[-1]] = ACTS[act]
            yield changed


def signed_again(content: dict[str, Any]) -> bytes:
    """A statement of any content by the right key: only its shape and sense are left to find."""
    payload, signer = canonical.encode(content), maker.TestKeySigner()
    value = signer.sign(dsse.pae(dsse.PAYLOAD_TYPE, payload)).value
    envelope = {
        "payloadType": dsse.PAYLOAD_TYPE,
        "payload": base64.b64encode(payload).decode(),
        "signatures": [{"keyid": signer.key_id, "sig": base64.b64encode(value).decode()}],
    }
    keys = maker.keys_document(signer)
    return json.dumps({"format": FILE_TYPE, "envelope": envelope, "keys": keys}).encode()


def told(files: Sequence[bytes], folder: Path) -> list[tuple[str, int | None, list[str]]]:
    """What the JavaScript says of each: verdict, level, and what is not proven."""
    names = []
    for number, content in enumerate(files):
        names.append(folder / f"{number}.json")
        names[-1].write_bytes(content)
    assert NODE is not None, "LETHE_TEST_REQUIRE=1 and no Node.js"
    done = subprocess.run(
        [NODE, "--no-warnings", str(CLI), "--lines"],
        input="".join(f"{name}\n" for name in names),
        capture_output=True,
        text=True,
        check=True,
        timeout=300,
    )
    verdicts = [json.loads(line) for line in done.stdout.splitlines()]
    return [(one["verdict"], one["level"], one["not_proven"]) for one in verdicts]


def agree(files: Sequence[bytes], folder: Path) -> set[str]:
    """Both verdicts are the same for each file; which there are."""
    reports = [documents.examine(content) for content in files]
    ours = [
        (one.verdict, one.level, words.not_proven(one) if one.verdict == "valid" else [])
        for one in reports
    ]
    theirs = told(files, folder)
    assert len(ours) == len(theirs)
    differing = [
        (files[at][:4000], one, two)
        for at, (one, two) in enumerate(zip(ours, theirs, strict=True))
        if one != two
    ]
    assert differing == []
    return {verdict for verdict, _, _ in ours}


class TestAgreement:
    def test_on_every_golden_file(self, tmp_path: Path) -> None:
        files = [path.read_bytes() for path in sorted(VECTORS.glob("certificate-v1*.json"))]

        assert len(files) == 8
        assert agree(files, tmp_path) == {"valid"}

    def test_on_what_is_not_proven_of_any_kind(self, tmp_path: Path) -> None:
        lost = {"shares": [maker.share(1, "lost")], "effect": EFFECT_TEXTS["lost"]}
        absent = {"shares": [maker.share(1, "absent")], "effect": EFFECT_TEXTS["absent"]}
        nodes = [{"node": "a", "state": "read"}, {"node": "b", "state": "unreachable"}]
        stand_in = {"method": {"custodian": "keyring", "share_bits": 256}}
        changes: list[dict[str, Any]] = [lost, absent, {"nodes": nodes}, stand_in]
        contents = [maker.statement({**maker.predicate(), **change}) for change in changes]

        assert agree([signed_again(one) for one in contents], tmp_path) == {"valid"}

    @pytest.mark.parametrize(
        "name", ["certificate-v1-anchored", "certificate-v1-final", "certificate-v1-stamped"]
    )
    def test_on_every_mutation_of_a_file(self, name: str, tmp_path: Path) -> None:
        golden = json.loads((VECTORS / f"{name}.json").read_bytes())

        found = agree([json.dumps(one).encode() for one in mutated(golden)], tmp_path)

        assert {"invalid", "unreadable"} <= found

    @pytest.mark.parametrize("make", [maker.predicate, maker.final, maker.part])
    def test_on_every_mutation_of_a_statement_that_is_signed_again(
        self, make: Any, tmp_path: Path
    ) -> None:
        contents = mutated(maker.statement(make()))

        assert "invalid" in agree([signed_again(one) for one in contents], tmp_path)

    def test_on_damaged_bytes(self, tmp_path: Path) -> None:
        golden = (VECTORS / "certificate-v1-logged.json").read_bytes()
        marks = b'"\\{}[]:,0- \x00\x80\xff'
        files = []
        for number in range(1500):
            digest = sha256(str(number).encode()).digest()
            at = int.from_bytes(digest[:4], "big") % len(golden)
            byte = marks[digest[4] % len(marks) :][:1] if digest[5] % 2 else digest[6:7]
            files.append(golden[:at] + byte + golden[at + digest[7] % 2 :])

        assert {"invalid", "unreadable", "valid"} <= agree(files, tmp_path)

    def test_on_every_byte_of_a_token(self, tmp_path: Path) -> None:
        golden = json.loads((VECTORS / "certificate-v1-stamped.json").read_bytes())
        token = base64.b64decode(golden["log"]["stamp"]["token"])
        files = []
        for at in range(len(token)):
            for byte in (token[at] ^ 1, 0x80, 0x00):
                changed = token[:at] + bytes([byte]) + token[at + 1 :]
                golden["log"]["stamp"]["token"] = base64.b64encode(changed).decode()
                files.append(json.dumps(golden).encode())
            golden["log"]["stamp"]["token"] = base64.b64encode(token[:at]).decode()
            files.append(json.dumps(golden).encode())

        assert agree(files, tmp_path) == {"valid", "invalid"}

    def test_on_every_line_of_a_proof(self, tmp_path: Path) -> None:
        golden = json.loads((VECTORS / "certificate-v1-logged.json").read_bytes())
        lines = golden["log"]["proof"].split("\n")
        files = []
        for at, line in enumerate(lines):
            for new in (
                [],
                [line, line],
                [line + "A"],
                [line[:-1]],
                [line.swapcase()],
                [" " + line],
            ):
                golden["log"]["proof"] = "\n".join([*lines[:at], *new, *lines[at + 1 :]])
                files.append(json.dumps(golden).encode())

        assert "invalid" in agree(files, tmp_path)

    def test_on_cosigned_heads(self, tmp_path: Path) -> None:
        golden = json.loads((VECTORS / "certificate-v1-logged.json").read_bytes())
        for proofs, verdict in ((cosigned.good(), "valid"), (cosigned.bad(), "invalid")):
            files = []
            for proof in proofs:
                golden["log"]["proof"] = proof.text
                files.append(json.dumps(golden).encode())

            assert agree(files, tmp_path) == {verdict}

    @pytest.mark.parametrize("size", [1, 2, 3, 7, 64, 67, 300])
    def test_on_every_place_in_logs_of_many_sizes(self, size: int, tmp_path: Path) -> None:
        made = maker.certificate(maker.predicate())
        places = sorted({0, 1, size // 2, size - 2, size - 1} & set(range(size)))
        files = [maker.logged(made, index=index, size=size) for index in places]
        moved = [copy.deepcopy(file) for file in files]
        for file, index in zip(moved, places, strict=True):
            proof = file["log"]["proof"]
            file["log"]["proof"] = proof.replace(f"index {index}\n", f"index {index ^ 1}\n")

        assert agree([json.dumps(file).encode() for file in files], tmp_path) == {"valid"}
        assert agree([json.dumps(file).encode() for file in moved], tmp_path) == {"invalid"}

    def test_on_keys_that_are_well_formed_and_wrong(self, tmp_path: Path) -> None:
        golden = json.loads((VECTORS / "certificate-v1-logged.json").read_bytes())
        files = []
        for number in range(2):
            for change in (
                {"revoked_at": "2026-05-01T00:00:00.000000Z"},
                {"holder": "web"},
                {"holder": "web", "key_id": "web:1"},
                {"holder": "loggerd", "key_id": "loggerd:2"},  # the log's own: no matter
                {"key_id": "attester:9"},
                {"public": "00" * 32},
                {"public": golden["keys"]["keys"][1 - number]["public"]},
            ):
                changed = copy.deepcopy(golden)
                changed["keys"]["keys"][number].update(change)
                files.append(json.dumps(changed).encode())

        assert agree(files, tmp_path) == {"valid", "invalid"}

    def test_on_a_second_signature(self, tmp_path: Path) -> None:
        payload = base64.b64decode(maker.certificate(maker.predicate())["envelope"]["payload"])
        others = [maker.TestKeySigner(bytes([n]) * 32, f"{who}:2") for n, who in OTHERS]
        files = []
        for other in others:
            for signed in (payload, payload + b" "):
                made = maker.certificate(maker.predicate())
                value = other.sign(dsse.pae(dsse.PAYLOAD_TYPE, signed)).value
                more = {"keyid": other.key_id, "sig": base64.b64encode(value).decode()}
                made["envelope"]["signatures"].append(more)
                made["keys"] = maker.keys_document(maker.TestKeySigner(), other)
                files.append(json.dumps(made).encode())

        assert agree(files, tmp_path) == {"valid", "invalid"}


class TestCommand:
    @pytest.mark.parametrize(
        ("name", "status"), [("certificate-v1.json", 0), ("make_certificate.py", 2), ("none", 2)]
    )
    def test_ends_with_the_verdicts_status(self, name: str, status: int) -> None:
        assert NODE is not None
        done = subprocess.run(
            [NODE, "--no-warnings", str(CLI), str(VECTORS / name)],
            capture_output=True,
            check=False,
            timeout=60,
        )

        assert done.returncode == status
