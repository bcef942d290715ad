import base64
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core import canonical, dsse
from core.dsse import EnvelopeInvalid
from core.ports import VerifyingKey
from tests.vectors.make_certificate import TestKeySigner

SIGNER = TestKeySigner()
KEYS = [VerifyingKey("attester:1", "attester", SIGNER.public)]


def _statement(**predicate: Any) -> dict[str, Any]:
    return dsse.statement(
        predicate_type="urn:test:v1", subjects=[("thing", "ab" * 32)], predicate=predicate
    )


class TestPae:
    def test_writes_the_example_of_the_specification(self) -> None:
        encoded = dsse.pae("http://example.com/HelloWorld", b"hello world")

        assert encoded == b"DSSEv1 29 http://example.com/HelloWorld 11 hello world"


class TestEnvelope:
    def test_holds_the_canonical_statement_and_names_the_key(self) -> None:
        made = dsse.envelope(_statement(b=1, a=2), signer=SIGNER)

        assert base64.b64decode(made["payload"]) == canonical.encode(_statement(a=2, b=1))
        assert made["payloadType"] == "application/vnd.in-toto+json"
        assert [item["keyid"] for item in made["signatures"]] == ["attester:1"]

    def test_verifies_under_its_key(self) -> None:
        made = dsse.envelope(_statement(a=2), signer=SIGNER)

        assert dsse.verify(made, keys=KEYS) == _statement(a=2)


class TestVerify:
    @given(st.integers(0, 400))
    def test_refuses_any_changed_byte_of_the_payload(self, at: int) -> None:
        made = dsse.envelope(_statement(a=2), signer=SIGNER)
        payload = bytearray(base64.b64decode(made["payload"]))
        payload[at % len(payload)] ^= 1
        made["payload"] = base64.b64encode(payload).decode()

        with pytest.raises(EnvelopeInvalid):
            dsse.verify(made, keys=KEYS)

    @pytest.mark.parametrize(
        "change",
        [
            pytest.param({"signatures": []}, id="no-signature"),
            pytest.param({"signatures": [{"keyid": "attester:2", "sig": ""}]}, id="unknown-key"),
            pytest.param({"signatures": [{"keyid": "attester:1", "sig": "AA=="}]}, id="short"),
            pytest.param({"signatures": [{}]}, id="empty-signature"),
            pytest.param({"signatures": 1}, id="signatures-of-another-type"),
            pytest.param({"payloadType": "text/plain"}, id="other-type"),
            pytest.param({"payload": "*"}, id="not-base-64"),
            pytest.param({"payload": None}, id="no-payload"),
        ],
    )
    def test_refuses_a_malformed_envelope(self, change: dict[str, Any]) -> None:
        made = dsse.envelope(_statement(a=2), signer=SIGNER)

        with pytest.raises(EnvelopeInvalid):
            dsse.verify({**made, **change}, keys=KEYS)

    def test_refuses_one_bad_signature_beside_a_good_one(self) -> None:
        made = dsse.envelope(_statement(a=2), signer=SIGNER)
        other = dsse.envelope(_statement(a=3), signer=SIGNER)
        made["signatures"] += other["signatures"]

        with pytest.raises(EnvelopeInvalid):
            dsse.verify(made, keys=KEYS)

    def test_refuses_a_signed_payload_that_is_not_canonical(self) -> None:
        payload = b'{ "_type": "https://in-toto.io/Statement/v1" }'
        signature = SIGNER.sign(dsse.pae(dsse.PAYLOAD_TYPE, payload))
        made = {
            "payloadType": dsse.PAYLOAD_TYPE,
            "payload": base64.b64encode(payload).decode(),
            "signatures": [
                {"keyid": "attester:1", "sig": base64.b64encode(signature.value).decode()}
            ],
        }

        with pytest.raises(EnvelopeInvalid):
            dsse.verify(made, keys=KEYS)


class TestKeysDocument:
    def test_writes_keys_as_published(self) -> None:
        seen = datetime(2026, 1, 1, tzinfo=UTC)

        document = dsse.keys_document([(KEYS[0], seen, None)])

        assert document["type"] == "urn:lethe:keys:v1"
        assert document["keys"][0]["public"] == SIGNER.public.hex()
        assert document["keys"][0]["first_seen_at"] == "2026-01-01T00:00:00.000000Z"
        assert document["keys"][0]["revoked_at"] is None
