"""The published shape of receipts, by a checker that knows nothing of ours."""

import json
from collections.abc import Callable
from typing import Any

import jsonschema_rs
import pytest

from contracts.verifier import documents, limits, words
from contracts.verifier.schema_receipt import (
    CONSENT_TYPE,
    DECISION_TYPE,
    LEASE_TYPE,
    SCHEMA,
    faults,
)
from tests.unit.contracts.test_verifier_js import mutated
from tests.vectors import make_receipt as maker
from tests.vectors.make_certificate import VECTORS

KINDS: list[tuple[str, Callable[[], dict[str, Any]]]] = [
    (CONSENT_TYPE, maker.consent),
    (DECISION_TYPE, maker.decision),
    (LEASE_TYPE, maker.lease),
]
STATEMENT = {
    **SCHEMA["$defs"]["statement"],
    "$schema": SCHEMA["$schema"],
    "$defs": SCHEMA["$defs"],
}


class TestSchema:
    def test_is_the_one_that_is_published(self) -> None:
        assert json.loads(maker.SCHEMA_FILE.read_text()) == SCHEMA

    @pytest.mark.parametrize("name", maker.VECTOR_FILES)
    def test_fits_every_golden_file(self, name: str) -> None:
        assert jsonschema_rs.is_valid(SCHEMA, json.loads((VECTORS / name).read_bytes()))

    @pytest.mark.parametrize(("kind", "facts"), KINDS)
    def test_is_read_as_an_independent_checker_reads_it(
        self, kind: str, facts: Callable[[], dict[str, Any]]
    ) -> None:
        validator = jsonschema_rs.validator_for(STATEMENT)
        seen = set()

        for changed in mutated(maker.statement(kind, facts())):
            expected = validator.is_valid(changed)
            assert (not faults(changed, SCHEMA["$defs"]["statement"])) == expected, changed
            seen.add(expected)

        assert seen == {True, False}

    def test_is_read_alike_in_the_log_part(self) -> None:
        validator = jsonschema_rs.validator_for(SCHEMA)
        seen = set()

        for changed in mutated(maker.VECTOR_FILES["receipt-v1-decision.json"]()):
            expected = validator.is_valid(changed)
            assert (not faults(changed, SCHEMA)) == expected
            seen.add(expected)

        assert seen == {True, False}


class TestWords:
    @pytest.mark.parametrize("name", maker.VECTOR_FILES)
    def test_are_plain_and_name_what_is_not_proven(self, name: str) -> None:
        report = documents.examine((VECTORS / name).read_bytes())

        said = words.as_text(report)

        assert report.verdict == "valid", report.checks
        assert said.isascii()
        assert limits.RECORDED in said
        assert "anonym" not in said
        assert json.dumps(words.as_object(report))
