import json

import pytest

from accounts.models import APIClient
from core import clock, ids, runtime
from core.ids import PublicId
from core.models import AuditEvent
from governance.models import Disclosure, Lease
from tests.functional.api.cast import (
    Cast,
    FailsLater,
    Study,
    streamed,
    study,
    unknown,
    version_body,
)
from vault.models import KeyGrant, KeyShare
from vault.services import key_cache, lost_versions


def lose(subject: str) -> None:
    """Let a replay have found the person's key missing from the key store."""
    rows = KeyShare.objects.filter(subject=ids.parse(PublicId.SUBJECT, subject))
    rows.update(state="lost", lost_at=clock.now())


class TestOpenLease:
    def test_counts_who_is_read_and_who_is_not(self, study: Study) -> None:
        study.patient("ada")
        study.consent(study.patient("bea", consents=False), "refused")
        withdrawn = study.patient("cle")
        study.consent(withdrawn, "withdrawn")
        study.patient("dan", consents=False)

        lease = study.lease(run_reference="run-7")

        assert lease["state"] == "open"
        assert lease["subjects"] == 1
        assert lease["exclusions"] == {
            "refused": 1, "withdrawn": 1, "undecided": 1, "restricted": 0, "erased": 0,
            "key_lost": 0,
        }  # fmt: skip
        assert lease["fields"] == {"health": ["age"]}
        assert AuditEvent.objects.filter(action="governance.lease.opened").count() == 1

    def test_counts_apart_whose_key_is_lost(self, study: Study) -> None:
        study.patient("ada")
        lost = study.patient("bea")
        lose(lost)

        lease = study.lease()
        read = study.cast.clinic.source().get(f"/subjects/{lost}/records")
        written = study.record(lost, "r9", age=3)

        assert (lease["subjects"], lease["exclusions"]["key_lost"]) == (1, 1)
        assert lease["exclusions"]["undecided"] == 0
        assert len(study.read(lease)) == 2
        assert (read.status_code, read.json()["code"]) == (500, "key-lost")
        assert (written.status_code, written.json()["code"]) == (500, "key-lost")

    def test_counts_apart_whose_grants_are_under_a_lost_version(self, study: Study) -> None:
        for name in ("ada", "bea"):
            study.patient(name)
        grant = KeyGrant.objects.order_by("id")[0]
        wrapped = (2).to_bytes(4) + bytes(grant.wrapped)[4:]
        KeyGrant.objects.filter(id=grant.id).update(wrapped=wrapped)
        lost_versions.find(now=clock.now())

        lease = study.lease()

        assert (lease["subjects"], lease["exclusions"]["key_lost"]) == (1, 1)

    def test_refuses_a_token_for_another_purpose(self, cast: Cast) -> None:
        one, other = study(cast), study(cast, code="marketing")

        answer = one.pipeline.post(f"/purposes/{other.purpose}/leases")

        assert (answer.status_code, answer.json()["code"]) == (403, "scope-missing")

    def test_refuses_people(self, cast: Cast, study: Study) -> None:
        answer = cast.clinic.person("compliance-officer").post(f"/purposes/{study.purpose}/leases")

        assert answer.status_code == 403

    def test_refuses_a_category_that_the_purpose_does_not_read(self, study: Study) -> None:
        answer = study.pipeline.post(f"/purposes/{study.purpose}/leases", {"categories": ["x"]})

        assert (answer.status_code, answer.json()["code"]) == (400, "category-not-of-purpose")

    def test_answers_another_controllers_purpose_as_unknown(self, cast: Cast, study: Study) -> None:
        answer = cast.insurer.pipeline(study.purpose).post(f"/purposes/{study.purpose}/leases")

        assert (answer.status_code, answer.json()["code"]) == (404, "purpose-not-found")

    def test_answers_a_repeat_with_the_same_lease(self, study: Study) -> None:
        path = f"/purposes/{study.purpose}/leases"

        first = study.pipeline.post(path, {}, Idempotency_Key="k1").json()
        again = study.pipeline.post(path, {}, Idempotency_Key="k1").json()

        assert first["id"] == again["id"]
        assert Lease.objects.count() == 1


class TestStreamRecords:
    def test_hands_out_only_the_fields_of_the_purpose(self, study: Study) -> None:
        subject = study.patient("ada")
        study.record(subject, age=42, visits=3)

        record, end = study.read(study.lease())

        assert record["data"] == {"age": 42}
        assert record["alias"].startswith("als_")
        assert len(record["reference"]) == 32
        assert (record["category"], record["version"]) == ("health", 2)
        assert end == {"end": True, "complete": True, "records": 1}

    def test_names_neither_subject_nor_record(self, study: Study) -> None:
        subject = study.patient("ada")
        record = study.record(subject, "r2", age=1).json()["id"]

        text = json.dumps(study.read(study.lease()))

        assert subject not in text
        assert record not in text

    def test_discloses_each_page_before_it_is_sent(self, study: Study) -> None:
        study.patient("ada")
        lease = study.lease()

        response = study.pipeline.get(f"/leases/{lease['id']}/records")

        assert Disclosure.objects.count() == 1
        assert streamed(response)[-1]["end"]

    def test_resumes_after_a_cursor(self, study: Study) -> None:
        for number in range(5):
            study.patient(f"person-{number}")
        lease = study.lease()

        first = study.read(lease, "?limit=2")
        rest = study.read(lease, f"?after={first[2]['cursor']}")

        assert [line.get("records") for line in first[2:]] == [2, 2]
        assert first[-1]["complete"] is False
        aliases = [line["alias"] for line in first[:2] + rest[:3]]
        assert len(set(aliases)) == 5
        assert aliases == sorted(aliases)

    def test_splits_cover_everyone_once(self, study: Study) -> None:
        for number in range(8):
            study.patient(f"person-{number}")
        lease = study.lease()

        parts = [study.read(lease, f"?split={index}/3") for index in range(3)]

        aliases = [line["alias"] for part in parts for line in part if "alias" in line]
        assert len(aliases) == len(set(aliases)) == 8

    def test_leaves_out_who_withdrew_since_the_last_page(self, study: Study) -> None:
        subjects = [study.patient(f"person-{number}") for number in range(4)]
        lease = study.lease()
        first = study.read(lease, "?limit=1")
        seen = first[0]["alias"]

        for subject in subjects:
            study.consent(subject, "withdrawn")
        rest = study.read(lease, f"?after={first[1]['cursor']}")

        assert rest == [{"end": True, "complete": True, "records": 0}]
        removals = study.pipeline.get(f"/purposes/{study.purpose}/removals").json()["items"]
        assert seen in {item["alias"] for item in removals}

    @pytest.mark.parametrize("cursor", ["x", "A" * 96, "!!"], ids=["short", "forged", "bytes"])
    def test_refuses_a_cursor_it_did_not_give(self, study: Study, cursor: str) -> None:
        lease = study.lease()

        answer = study.pipeline.get(f"/leases/{lease['id']}/records?after={cursor}")

        assert (answer.status_code, answer.json()["code"]) == (400, "invalid-cursor")

    def test_refuses_the_cursor_of_another_split(self, study: Study) -> None:
        for number in range(3):
            study.patient(f"person-{number}")
        lease = study.lease()
        cursor = study.read(lease, "?limit=1")[1]["cursor"]

        answer = study.pipeline.get(f"/leases/{lease['id']}/records?split=0/2&after={cursor}")

        assert answer.json()["code"] == "invalid-cursor"

    @pytest.mark.parametrize(
        "query", ["split=2/2", "split=a", "split=0/257", "limit=0", "limit=x", "page=2"]
    )
    def test_names_the_parameter_that_is_wrong(self, study: Study, query: str) -> None:
        answer = study.pipeline.get(f"/leases/{study.lease()['id']}/records?{query}")

        assert answer.status_code == 400
        assert answer.json()["errors"]

    def test_is_another_clients_404(self, cast: Cast, study: Study) -> None:
        lease = study.lease()
        other = cast.clinic.pipeline(study.purpose, name="other")

        for path in (f"/leases/{lease['id']}", f"/leases/{lease['id']}/records"):
            assert other.get(path).json()["code"] == "lease-not-found"
        assert study.pipeline.get(f"/leases/{unknown(PublicId.LEASE)}").status_code == 404

    def test_answers_503_before_the_first_byte(self, cast: Cast, study: Study) -> None:
        study.patient("ada")
        lease = study.lease()
        key_cache.cache().clear()
        cast.world.custodian.is_down = True

        answer = study.pipeline.get(f"/leases/{lease['id']}/records")

        assert (answer.status_code, answer.json()["code"]) == (503, "key-store-unavailable")
        shown = study.pipeline.get(f"/leases/{lease['id']}").json()
        assert shown["problem"] == "key-store-unavailable"

    def test_is_cut_when_it_fails_in_the_midst(
        self, cast: Cast, study: Study, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("governance.services.lease_pages.PAGE_ROWS", 2)
        for number in range(4):
            study.patient(f"person-{number}")
        lease = study.lease()
        key_cache.cache().clear()

        with runtime.override(custodian=FailsLater(cast.world.custodian, "open_grants", after=1)):
            response = study.pipeline.get(f"/leases/{lease['id']}/records")
            received = []
            with pytest.raises(Exception, match="key-store-unavailable"):
                received.extend(response.streaming_content)

        sent = [json.loads(line) for line in b"".join(received).splitlines()]
        shown = study.pipeline.get(f"/leases/{lease['id']}").json()
        assert len(sent) == 3
        assert not any("end" in line for line in sent)
        assert (shown["problem"], shown["state"]) == ("key-store-unavailable", "open")
        rest = study.read(lease, f"?after={shown['cursor']}")
        assert len({line["alias"] for line in sent[:2] + rest[:2]}) == 4

    def test_ends_when_another_version_is_activated(self, cast: Cast, study: Study) -> None:
        study.patient("ada")
        lease = study.lease()
        cast.clinic.person("analyst", "al").post(
            f"/purposes/{study.purpose}/versions", version_body(retention_days=30)
        )
        cast.clinic.person("compliance-officer").post(
            f"/purposes/{study.purpose}/activations", {"version": 2}
        )

        answer = study.pipeline.get(f"/leases/{lease['id']}/records")

        assert (answer.status_code, answer.json()["code"]) == (409, "lease-superseded")


class TestCloseLease:
    def test_ends_the_stream(self, study: Study) -> None:
        lease = study.lease()

        closed = study.pipeline.post(f"/leases/{lease['id']}/close")
        answer = study.pipeline.get(f"/leases/{lease['id']}/records")

        assert closed.json()["state"] == "closed"
        assert (answer.status_code, answer.json()["code"]) == (409, "lease-closed")

    def test_expires_by_itself(self, cast: Cast, study: Study) -> None:
        lease = study.lease()
        cast.world.later(hours=13)
        study.cast.clinic.made.clear()
        Lease.objects.update(client_id=_client_of(study))

        answer = study.pipeline.get(f"/leases/{lease['id']}/records")

        assert (answer.status_code, answer.json()["code"]) == (409, "lease-expired")


def _client_of(study: Study) -> object:
    """The client behind a token made anew, since the first one's has run out."""
    assert study.pipeline is not None
    return APIClient.objects.filter(kind="pipeline").latest("created").pk


class TestRemovals:
    def test_are_listed_until_this_client_acknowledges(self, cast: Cast, study: Study) -> None:
        study.consent(study.patient("ada"), "withdrawn")
        path = f"/purposes/{study.purpose}/removals"
        (item,) = study.pipeline.get(path).json()["items"]

        done = study.pipeline.post(f"{path}/acknowledgements", {"up_to": item["id"]})

        other = cast.clinic.pipeline(study.purpose, name="other")
        assert done.status_code == 201
        assert item["reason"] == "withdrawn"
        assert study.pipeline.get(path).json()["items"] == []
        assert len(other.get(path).json()["items"]) == 1
