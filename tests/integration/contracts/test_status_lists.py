"""Status lists as their readers get them: read by a library that knows nothing of ours."""

import base64
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.test import Client
from jwcrypto.jwk import JWK
from jwcrypto.jws import JWS
from pytest_django import Settings

from contracts.domain import status_list
from contracts.models import StatusEntry, StatusVersion
from contracts.services import status_lists, status_publishing
from contracts.services.status_lists import Pointer
from core import clock, failpoints, runtime, signing_keys
from core.unit_of_work import unit_of_work
from tests.fakes.custodian import FakeSigner
from tests.vectors import bitstring

NOW = datetime(2026, 3, 9, 10, tzinfo=UTC)


@pytest.fixture(autouse=True)
def signer(transactional_db: None) -> Iterator[FakeSigner]:
    made = FakeSigner("loggerd")
    with runtime.override(signer=made):
        yield made


def allocated(count: int = 1) -> list[Pointer]:
    with unit_of_work():
        return status_lists.allocate(count=count, now=NOW)


def revoked(*pointers: Pointer) -> None:
    with unit_of_work():
        status_lists.revoke(pointers=pointers)


def published(now: datetime = NOW) -> StatusVersion:
    (made,) = status_publishing.publish(now=now)
    return made


def broken_off_at(point: str) -> None:
    def stop(reached: str) -> None:
        if reached == point:
            raise InterruptedError

    with failpoints.installed(stop), pytest.raises(InterruptedError):
        status_publishing.publish(now=NOW)


def served(pointer: Pointer, path: str = "") -> Any:
    return Client().get(f"/status/{pointer.list_id.hex()}{path}")


def read(document: str) -> dict[str, Any]:
    """By jwcrypto, with the key that is published under the credential's `kid`."""
    token = JWS()
    token.deserialize(document)
    (key,) = [
        one for one in signing_keys.published()["keys"] if one["key_id"] == token.jose_header["kid"]
    ]
    x = base64.urlsafe_b64encode(bytes.fromhex(key["public"])).decode().rstrip("=")
    token.verify(JWK(kty="OKP", crv="Ed25519", x=x), alg="EdDSA")
    content: dict[str, Any] = json.loads(token.payload)
    return content


def bits(document: str) -> bytes:
    return bitstring.decoded(read(document)["credentialSubject"]["encodedList"])


class TestAllocate:
    def test_gives_each_place_once_and_in_no_order(self) -> None:
        pointers = allocated(500)

        places = [pointer.index for pointer in pointers]
        assert len(set(places)) == 500
        assert places != sorted(places)
        assert max(places) > status_list.ENTRIES // 2

    def test_goes_on_with_another_list_once_one_is_half_full(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(status_publishing, "_FULL", 10)
        (first,) = allocated()
        published()
        (same,) = allocated()
        published()

        (other,) = allocated()

        assert first.list_id == same.list_id != other.list_id

    def test_takes_nothing_when_its_transaction_fails(self) -> None:
        def fails() -> None:
            with unit_of_work():
                status_lists.allocate(count=1, now=NOW)
                raise RuntimeError

        with pytest.raises(RuntimeError):
            fails()

        assert not StatusEntry.objects.exists()


class TestRevoke:
    def test_shows_in_the_next_version_and_ever_after(self) -> None:
        mine, other = allocated(2)
        before = published()
        revoked(mine)

        after, later = published(), published()

        assert [bitstring.is_set(bits(one.document), mine.index) for one in
                (before, after, later)] == [False, True, True]  # fmt: skip
        assert not bitstring.is_set(bits(later.document), other.index)

    def test_again_changes_nothing(self) -> None:
        (mine,) = allocated()
        revoked(mine)
        published()
        revoked(mine)

        assert not StatusEntry.objects.filter(is_due=True).exists()


class TestSilence:
    @pytest.mark.parametrize("count", [0, 1, 5, 8])
    def test_versions_flip_as_many_bits_whatever_was_revoked(self, count: int) -> None:
        pointers = allocated(20)
        before = bits(published().document)
        revoked(*pointers[:count])

        after = bits(published().document)

        changed = sum((one ^ two).bit_count() for one, two in zip(before, after, strict=True))
        assert changed == 8
        assert sum((two & ~one).bit_count() for one, two in zip(before, after, strict=True)) == 8

    def test_a_version_that_broke_off_flips_the_same_places(self) -> None:
        (mine,) = allocated()
        revoked(mine)
        for point in ("contracts.status.chosen", "contracts.status.signed"):
            broken_off_at(point)
        chosen = set(StatusEntry.objects.filter(is_due=True).values_list("index", flat=True))

        made = bits(published().document)

        assert mine.index in chosen
        assert sum(byte.bit_count() for byte in made) == len(chosen) == 8


class TestServed:
    def test_is_a_credential_signed_with_a_published_key(self) -> None:
        (mine,) = allocated()
        published()

        answer = served(mine)

        content = read(answer.content.decode())
        assert answer.headers["Content-Type"] == "application/vc+jwt"
        assert content["type"] == ["VerifiableCredential", "BitstringStatusListCredential"]
        assert content["credentialSubject"]["statusPurpose"] == "revocation"
        assert content["id"].endswith(f"/status/{mine.list_id.hex()}")
        assert content["validFrom"] < content["validUntil"]

    def test_is_not_sent_again_to_who_has_it(self) -> None:
        (mine,) = allocated()
        published()
        etag = served(mine).headers["ETag"]

        again = Client().get(f"/status/{mine.list_id.hex()}", headers={"If-None-Match": etag})

        assert (again.status_code, again.content) == (304, b"")

    def test_keeps_a_version_for_a_month(self) -> None:
        (mine,) = allocated()
        published()
        published(NOW + status_publishing.KEPT)
        assert served(mine, "/1").status_code == 200

        published(NOW + status_publishing.KEPT + timedelta(seconds=1))

        assert served(mine, "/1").status_code == 404
        assert served(mine, "/2").status_code == 200
        assert StatusVersion.objects.get(number=1).document == ""

    @pytest.mark.parametrize("path", ["/status/" + "00" * 32, "/status/x", "/status/" + "0" * 63])
    def test_answers_404_for_a_list_that_never_was(self, path: str) -> None:
        answer = Client().get(path)

        assert (answer.status_code, answer.json()["code"]) == (404, "status-list-unknown")

    def test_says_nothing_of_when_a_place_was_given_out(self) -> None:
        names = {field.name for field in StatusEntry._meta.get_fields()}

        assert names == {"id", "status_list", "index", "is_due", "is_set"}
        assert "at" not in "".join(names - {"status_list"})


class TestMeasured:
    def test_says_how_old_the_oldest_list_is(self) -> None:
        allocated()
        published(clock.now() - timedelta(hours=2))

        text = Client().get("/metrics").content.decode()

        (line,) = [one for one in text.splitlines() if one.startswith("lethe_status_published")]
        assert 7200 <= float(line.split()[-1]) < 7300

    @pytest.mark.parametrize("is_configured", [True, False])
    def test_says_that_no_head_was_ever_stamped_where_one_should_be(
        self, settings: Settings, *, is_configured: bool
    ) -> None:
        settings.LETHE_TSA_URL = "http://127.0.0.1:9" if is_configured else ""
        settings.LETHE_TSA_ROOTS = "roots.pem" if is_configured else ""

        text = Client().get("/metrics").content.decode()

        (line,) = [one for one in text.splitlines() if one.startswith("lethe_log_stamped")]
        assert (float(line.split()[-1]) > 1e9) is is_configured
