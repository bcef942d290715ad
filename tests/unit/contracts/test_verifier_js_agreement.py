"""Both verifiers say the same of receipts and bundles: golden ones, and every mutation of them."""

import copy
import json
from collections.abc import Callable, Iterator, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from contracts.verifier import bundle, documents, limits, words
from contracts.verifier.schema_receipt import CONSENT_TYPE, DECISION_TYPE, LEASE_TYPE
from core import dsse
from tests.unit.contracts.test_verifier_js import mutated
from tests.vectors import js_verifier
from tests.vectors import make_certificate as maker
from tests.vectors import make_receipt as receipts
from tests.vectors.make_certificate import VECTORS
from tests.vectors.make_receipt import VECTOR_FILES

pytestmark = js_verifier.NEEDS_NODE
BUNDLE = (VECTORS / "bundle-v1.zip").read_bytes()
Told = tuple[str, Any, dict[str, str], list[str]]
KINDS: list[tuple[str, Callable[[], dict[str, Any]]]] = [
    (CONSENT_TYPE, receipts.consent),
    (DECISION_TYPE, receipts.decision),
    (LEASE_TYPE, receipts.lease),
]


def ours(content: bytes) -> Told:
    examine: Any = bundle.examine if content[:2] == b"PK" else documents.examine
    said = words.as_object(examine(content))
    return said["verdict"], said["level"], said["levels"], said["not_proven"]


def agree(files: Sequence[bytes], folder: Path) -> set[str]:
    """Verdict, levels and limits are the same for each file; which levels there are, as letters."""
    mine = [ours(content) for content in files]
    theirs: list[Told] = [
        (one["verdict"], one["level"], one["levels"], one["not_proven"])
        for one in js_verifier.told(files, folder)
    ]
    differing = [
        (files[at][:3000], one, two)
        for at, (one, two) in enumerate(zip(mine, theirs, strict=True))
        if one != two
    ]
    assert not differing, differing[0]
    return {js_verifier.levels({"levels": levels}) for _, _, levels, _ in mine}


def signed_again(statement: dict[str, Any]) -> bytes:
    """A receipt with any statement, by the right key."""
    made = receipts.receipt(CONSENT_TYPE, receipts.consent())
    return json.dumps({**made, "envelope": dsse.envelope(statement, signer=receipts.WEB)}).encode()


def repacked(change: Callable[[dict[str, Any]], object]) -> bytes:
    """The golden bundle with its JSON files changed, and a manifest that fits."""
    files = copy.deepcopy(receipts.bundle_files())
    change(files)
    return receipts.packed(files)


def changed_bundles(name: str) -> Iterator[bytes]:
    role, content = receipts.bundle_files()[name]
    for one in mutated(content):
        yield receipts.packed({**receipts.bundle_files(), name: (role, one)})


class TestReceipts:
    def test_agree_on_every_golden_file(self, tmp_path: Path) -> None:
        files = [(VECTORS / name).read_bytes() for name in VECTOR_FILES]

        assert [json.loads(file) for file in files] == [made() for made in VECTOR_FILES.values()]
        assert agree(files, tmp_path) == {"hhnn", "hnnn"}

    @pytest.mark.parametrize("name", [n for n in VECTOR_FILES if "open" not in n])
    def test_agree_on_every_mutation_of_a_file(self, name: str, tmp_path: Path) -> None:
        golden = VECTOR_FILES[name]()

        found = agree([json.dumps(one).encode() for one in mutated(golden)], tmp_path)

        assert {"fnnn", "hfnn"} <= found

    @pytest.mark.parametrize(("kind", "facts"), KINDS)
    def test_agree_on_every_mutation_of_a_statement_that_is_signed_again(
        self, kind: str, facts: Callable[[], dict[str, Any]], tmp_path: Path
    ) -> None:
        contents = mutated(receipts.statement(kind, facts()))

        assert "fnnn" in agree([signed_again(one) for one in contents], tmp_path)

    @pytest.mark.parametrize(("kind", "facts"), KINDS)
    def test_agree_on_other_facts_that_are_signed_again(
        self, kind: str, facts: Callable[[], dict[str, Any]], tmp_path: Path
    ) -> None:
        """With the digest that fits, so that only shape and sense are left, and then the log."""
        files = []
        for changed in mutated(facts()):
            if not isinstance(changed, dict):
                continue
            made = receipts.receipt(kind, changed)
            log = {"entries": receipts.entries(receipts.events_of(kind, facts()))}
            files += [json.dumps(made).encode(), json.dumps({**made, "log": log}).encode()]

        assert {"fnnn", "hfnn"} <= agree(files, tmp_path)


class TestBundles:
    def test_agree_on_the_golden_one(self, tmp_path: Path) -> None:
        assert receipts.packed(receipts.bundle_files()) == BUNDLE
        assert agree([BUNDLE], tmp_path) == {"hhnh"}

    @pytest.mark.parametrize("name", ["keys.json", "receipt-decisions.json", "events.json"])
    def test_agree_on_every_mutation_of_a_file_in_it(self, name: str, tmp_path: Path) -> None:
        wanted = {"fnnn", "hhnf"} if name == "events.json" else {"fnnn"}

        assert wanted <= agree(list(changed_bundles(name)), tmp_path)

    def test_agree_on_every_mutation_of_the_certificate_in_it(self, tmp_path: Path) -> None:
        found = agree(list(changed_bundles("certificate-interim.json")), tmp_path)

        assert {"fnnn", "hfnh"} <= found

    def test_agree_on_every_mutation_of_the_manifest(self, tmp_path: Path) -> None:
        files = receipts.bundle_files()
        contents = {
            name: part if isinstance(part, bytes) else json.dumps(part).encode()
            for name, (_, part) in files.items()
        }
        listed = [
            {"name": name, "role": role, "sha256": sha256(contents[name]).hexdigest()}
            for name, (role, _) in files.items()
        ]
        manifest = {"format": "urn:lethe:bundle:v1", "files": listed}

        made = [receipts.packed(files, one) for one in mutated(manifest)]

        assert agree(made, tmp_path) == {"fnnn"}

    def test_agree_that_two_histories_are_none(self, tmp_path: Path) -> None:
        other = receipts.entries(receipts.events_of(DECISION_TYPE, receipts.decision()))
        forked = {**receipts.receipt(DECISION_TYPE, receipts.decision())}
        del forked["keys"]
        forked["log"] = {"entries": other}
        made = repacked(
            lambda files: files.update({"receipt-decisions.json": ("document", forked)})
        )

        assert agree([made], tmp_path) == {"hfnh"}

    def test_agree_on_damaged_bytes(self, tmp_path: Path) -> None:
        files = []
        for number in range(1500):
            digest = sha256(str(number).encode()).digest()
            end = len(BUNDLE) if digest[8] % 2 else 400
            at = int.from_bytes(digest[:4], "big") % end
            at = at if digest[9] % 2 else len(BUNDLE) - 1 - at % 600
            files.append(BUNDLE[:at] + digest[6:7] + BUNDLE[at + digest[7] % 2 :])

        assert {"fnnn", "hhnh"} <= agree(files, tmp_path)


class TestBlocks:
    def test_of_a_hash_that_the_user_knows_confirm_what_is_proven_in_them(
        self, tmp_path: Path
    ) -> None:
        content = (VECTORS / "certificate-v1-anchored.json").read_bytes()
        known, other = json.loads(content)["log"]["anchors"]

        for hash_, level in ((known["block_hash"], 2), (other["block_hash"], 1), ("00" * 32, 1)):
            report = documents.examine(content)
            report.believe({hash_})
            (said,) = js_verifier.told([content], tmp_path, "--block-hash", "0x" + hash_)

            assert report.level == said["level"] == level
            assert words.not_proven(report) == said["not_proven"]

    def test_that_nobody_named_confirm_nothing(self) -> None:
        content = (VECTORS / "certificate-v1-anchored.json").read_bytes()

        assert limits.IN_BLOCKS in words.not_proven(documents.examine(content))


class TestKeys:
    def test_of_another_installation_verify_nothing(self) -> None:
        others = ((6, "attester:1"), (7, "web:1"), (8, "loggerd:1"))
        signers = [maker.TestKeySigner(bytes([number]) * 32, id_) for number, id_ in others]
        stranger = json.dumps(maker.keys_document(*signers)).encode()

        report = bundle.examine(BUNDLE, stranger)

        assert report.verdict == "invalid"
        assert report.levels[0] == "fails"
