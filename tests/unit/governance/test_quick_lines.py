from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rest_framework import serializers

from governance.api import quick
from governance.api.serializers.consents import ConsentCreateSerializer
from governance.api.serializers.records import RecordLineSerializer
from governance.api.serializers.subjects import SubjectCreateSerializer

ODD: st.SearchStrategy[Any] = st.one_of(
    st.none(), st.booleans(), st.integers(), st.text(max_size=3), st.just({}), st.just([])
)
KIND = st.sampled_from(["email", "customer-number", "E", "", " email", "a" * 41])
TEXT = st.sampled_from(["x", " x", "", "x" * 200, "x" * 201, "x" * 321, "\u3000x", "é"])
PURPOSE = "pur_01kav8s0mmedr8g4xk1v0dgv7a"
SUBJECT = "sub_01kav8s0mmedr8g4xk1v0dgv7a"
REFERENCE = st.fixed_dictionaries({"kind": KIND, "value": TEXT}, optional={"more": ODD})
OWNER: dict[str, st.SearchStrategy[Any]] = {
    "subject": REFERENCE | ODD,
    "subject_id": st.sampled_from([SUBJECT, PURPOSE, SUBJECT.upper()]) | ODD,
}
RECORD = st.fixed_dictionaries(
    {},
    optional=OWNER
    | {
        "category": KIND | ODD,
        "reference": TEXT | ODD,
        "document": st.dictionaries(st.text(max_size=2), ODD, max_size=2) | ODD,
        "documents": ODD,
    },
)
CONSENT = st.fixed_dictionaries(
    {},
    optional=OWNER
    | {
        "purpose_id": st.sampled_from([PURPOSE, SUBJECT]) | ODD,
        "decision": st.sampled_from(["given", "withdrawn", "refused", "Given"]) | ODD,
        "channel": st.sampled_from(["web", "email", "smoke"]) | ODD,
        "decided_at": st.sampled_from(
            ["2026-01-05T10:00:00Z", "2026-01-05T10:00:00.5Z", "2026-01-05T10:00:00+01:00",
             "2026-02-30T10:00:00Z", "2026-01-05", "2026-01-05T24:00:00Z", "0001-01-01T00:00:00Z"]
        )
        | ODD,
        "text_digest": st.sampled_from(["0" * 64, "0" * 63, "G" * 64, "0" * 64 + "\n"]) | ODD,
        "language": st.sampled_from(["en", "de-AT", "e", "en-" + "a" * 40]) | ODD,
        "is_explicit": ODD,
        "why": ODD,
    },
)  # fmt: skip


def read(serializer: type[serializers.Serializer[Any]], line: Any) -> Any:
    """What the serializer makes of a line; None when it refuses it."""
    try:
        return serializer().run_validation(line)
    except serializers.ValidationError:
        return None


class TestRecord:
    @given(RECORD | ODD)
    def test_reads_as_the_serializer_or_not_at_all(self, line: Any) -> None:
        item = quick.record(line)

        assert item is None or item == read(RecordLineSerializer, line)

    @pytest.mark.parametrize(
        "owner",
        [{"subject_id": SUBJECT}, {"subject": {"kind": "email", "value": "ada@example.org"}}],
    )
    def test_reads_the_usual_line(self, owner: dict[str, Any]) -> None:
        line = owner | {"category": "health", "reference": "r1", "document": {"age": 41}}

        assert quick.record(line) == read(RecordLineSerializer, line) is not None


class TestSubject:
    @given(
        st.fixed_dictionaries(
            {}, optional={"references": st.lists(REFERENCE, max_size=2) | ODD, "name": ODD}
        )
        | ODD
    )
    def test_reads_as_the_serializer_or_not_at_all(self, line: Any) -> None:
        item = quick.subject(line)

        assert item is None or item == read(SubjectCreateSerializer, line)

    def test_reads_the_usual_line(self) -> None:
        line = {"references": [{"kind": "email", "value": "ada@example.org"}]}

        assert quick.subject(line) == read(SubjectCreateSerializer, line) is not None


class TestConsent:
    @given(CONSENT | ODD)
    def test_reads_as_the_serializer_or_not_at_all(self, line: Any) -> None:
        item = quick.consent(line)

        assert item is None or item == read(ConsentCreateSerializer, line)

    @pytest.mark.parametrize(
        "more",
        [
            {"decision": "withdrawn"},
            {"decision": "given", "text_digest": "0" * 64, "language": "de-AT"},
            {"decision": "refused", "decided_at": "2026-01-05T10:00:00.25Z", "is_explicit": True},
        ],
    )
    def test_reads_the_usual_line(self, more: dict[str, Any]) -> None:
        line = {"subject_id": SUBJECT, "purpose_id": PURPOSE, "channel": "web"} | more

        assert quick.consent(line) == read(ConsentCreateSerializer, line) is not None
