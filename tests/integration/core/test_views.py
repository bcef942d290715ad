import json
from collections.abc import Mapping
from typing import Any, ClassVar
from uuid import UUID, uuid4

import pytest
from django.test import Client
from django.urls import path
from pytest_django import Settings
from rest_framework.authentication import BaseAuthentication
from rest_framework.request import Request
from rest_framework.response import Response

from core.actors import Actor
from core.api import health
from core.api.caller import Caller
from core.api.cursors import InvalidCursor, decode, encode
from core.api.parsers import JSONParser, NDJSONParser
from core.api.permissions import person_with, scopes
from core.api.views import Acted, ServiceView, etag
from core.clock import move
from core.metrics import metrics
from core.models import IdempotencyRecord

pytestmark = pytest.mark.django_db

CONTROLLER = UUID("0198c0de-0000-7000-8000-000000000001")
CALLERS = {
    "source": Caller(Actor("cli_1", "client", CONTROLLER), CONTROLLER, frozenset({"x:write"}),
                     is_person=False, roles=frozenset({"dpo"})),
    "dpo": Caller(Actor("psn_1", "dpo", CONTROLLER), CONTROLLER, frozenset(),
                  is_person=True, roles=frozenset({"dpo"})),
    "analyst": Caller(Actor("psn_2", "analyst", CONTROLLER), CONTROLLER, frozenset(),
                      is_person=True, roles=frozenset({"analyst"})),
}  # fmt: skip


class Named(BaseAuthentication):
    def authenticate(self, request: Request) -> tuple[Any, None] | None:
        caller = CALLERS.get(request.headers.get("X-Caller", ""))
        return None if caller is None else (caller, None)

    def authenticate_header(self, request: Request) -> str:
        return "Bearer"


class Thing(ServiceView):
    authentication_classes = (Named,)
    access: ClassVar[Mapping[str, Any]] = {
        "POST": [scopes("x:write") | person_with("dpo")],
        "PUT": [person_with("dpo")],
    }
    made: ClassVar[list[str]] = []

    def post(self, request: Request) -> Response:
        def act(_now: object) -> Acted:
            sent: Any = request.data
            if sent.get("fail"):
                raise ZeroDivisionError(json.dumps(sent))
            self.made.append(str(uuid4()))
            return Acted(201, self.made[-1], {"id": self.made[-1]})

        return self.once(act, again=lambda replay: {"id": replay.resource_id})

    def put(self, _request: Request) -> Response:
        return Response({"version": self.expected_version()}, headers={"ETag": etag(4)})

    def delete(self, _request: Request) -> Response:
        return Response(status=204)


class Bulk(ServiceView):
    authentication_classes = (Named,)
    parser_classes = (NDJSONParser,)
    access: ClassVar[Mapping[str, Any]] = {"POST": [scopes("x:write")]}

    def post(self, request: Request) -> Response:
        lines: Any = request.data
        return Response([line.number for line in lines if line.problem is None])


urlpatterns = [
    path("api/v1/things", Thing.as_view(parser_classes=(JSONParser,))),
    path("api/v1/things/bulk", Bulk.as_view()),
    path("healthz", health.healthz),
    path("readyz", health.readyz),
    path("metrics", metrics),
]
handler404 = "core.api.problems.page_not_found"
handler500 = "core.api.problems.server_error"
handler400 = "core.api.problems.bad_request"


@pytest.fixture(autouse=True)
def urls(settings: Settings) -> None:
    settings.ROOT_URLCONF = __name__
    settings.MIDDLEWARE = ["core.api.middleware.RequestContext"]
    settings.LETHE_READY_CHECKS = []
    Thing.made.clear()


def send(method: str, body: Any = None, *, caller: str = "source", **headers: str) -> Any:
    client = Client(raise_request_exception=False)
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    return client.generic(
        method,
        "/api/v1/things",
        json.dumps(body or {}),
        content_type="application/json",
        headers={"X-Caller": caller, **names},
    )


class TestAccess:
    @pytest.mark.parametrize(
        ("method", "caller", "status"),
        [
            ("POST", "source", 201),
            ("POST", "dpo", 201),
            ("POST", "analyst", 403),
            ("POST", "nobody", 401),
            ("PUT", "dpo", 428),
            ("PUT", "analyst", 403),
            ("PUT", "source", 403),
            ("DELETE", "dpo", 403),
            ("PATCH", "dpo", 405),
        ],
    )
    def test_follows_the_rule_of_the_method(self, method: str, caller: str, status: int) -> None:
        assert send(method, caller=caller).status_code == status


class TestOnce:
    def test_acts_once_under_one_key_and_answers_alike(self) -> None:
        first = send("POST", {"a": 1}, Idempotency_Key="k")
        second = send("POST", {"a": 1}, Idempotency_Key="k")

        assert (first.status_code, second.status_code) == (201, 201)
        assert first.json() == second.json()
        assert len(Thing.made) == 1

    def test_refuses_another_body_under_the_same_key(self) -> None:
        send("POST", {"a": 1}, Idempotency_Key="k")

        answer = send("POST", {"a": 2}, Idempotency_Key="k")

        assert (answer.status_code, answer.json()["code"]) == (409, "idempotency-key-reused")

    def test_keeps_keys_of_different_callers_apart(self) -> None:
        send("POST", {"a": 1}, Idempotency_Key="k")
        send("POST", {"a": 2}, caller="dpo", Idempotency_Key="k")

        assert len(Thing.made) == 2

    def test_frees_the_key_when_the_act_failed(self) -> None:
        answer = send("POST", {"fail": "ada@example.org"}, Idempotency_Key="k")

        assert (answer.status_code, answer.json()["code"]) == (500, "internal-error")
        assert b"ada" not in answer.content
        assert IdempotencyRecord.objects.get().status is None

    def test_acts_each_time_without_a_key(self) -> None:
        send("POST")
        send("POST")

        assert len(Thing.made) == 2


class TestPreconditions:
    @pytest.mark.parametrize(
        ("header", "status"), [('"3"', 200), ("3", 412), ("*", 412), ('W/"3"', 412)]
    )
    def test_take_one_strong_version(self, header: str, status: int) -> None:
        assert send("PUT", caller="dpo", If_Match=header).status_code == status


class TestBodies:
    @pytest.mark.parametrize(
        ("body", "media_type", "status", "code"),
        [
            (b"{", "application/json", 400, "malformed-json"),
            (b'{"a":"\\u0000"}', "application/json", 400, "malformed-json"),
            (b"a=1", "application/x-www-form-urlencoded", 415, "unsupported-media-type"),
            (b"{}", "text/plain", 415, "unsupported-media-type"),
            (b"{}", "not a type", 415, "unsupported-media-type"),
            (b'"' + b"a" * (1 << 20) + b'"', "application/json", 413, "body-too-large"),
        ],
        ids=["cut", "NUL", "form", "text", "nonsense", "too large"],
    )
    def test_are_refused_with_a_code_of_their_own(
        self, body: bytes, media_type: str, status: int, code: str
    ) -> None:
        answer = Client(raise_request_exception=False).generic(
            "POST", "/api/v1/things", body, content_type=media_type, headers={"X-Caller": "source"}
        )

        assert (answer.status_code, answer.json()["code"]) == (status, code)
        assert answer.headers["Content-Type"] == "application/problem+json"

    def test_are_read_line_by_line(self) -> None:
        answer = Client().generic(
            "POST",
            "/api/v1/things/bulk",
            b"1\n{\n3\n",
            content_type="application/x-ndjson",
            headers={"X-Caller": "source"},
        )

        assert answer.json() == [1, 3]

    def test_get_an_answer_that_no_cache_keeps(self) -> None:
        answer = send("POST")

        assert answer.headers["Cache-Control"] == "no-store"
        assert UUID(answer.headers["X-Request-ID"]).version == 4

    def test_get_a_problem_with_the_id_that_the_log_has(self) -> None:
        given = str(uuid4())

        answer = send("PATCH", X_Request_ID=given)

        assert answer.json()["correlation_id"] == answer.headers["X-Request-ID"] == given

    def test_get_no_made_up_request_id_back(self) -> None:
        assert send("PATCH", X_Request_ID="ada").headers["X-Request-ID"] != "ada"


class TestRoutes:
    def test_that_do_not_exist_answer_with_a_problem_under_api(self) -> None:
        answer = Client().get("/api/v1/ada.lovelace")

        assert (answer.status_code, answer.json()["code"]) == (404, "not-found")
        assert b"lovelace" not in answer.content


class TestHealth:
    def test_says_ready_when_every_check_passes(self) -> None:
        answer = Client().get("/readyz")

        assert (answer.status_code, answer.json()["status"]) == (200, "ready")
        assert answer.json()["gate"]["open"] is True

    def test_names_the_checks_that_fail(self, settings: Settings) -> None:
        settings.LETHE_READY_CHECKS = [f"{__name__}.failing_check"]

        answer = Client().get("/readyz")

        assert (answer.status_code, answer.json()["failed"]) == (503, ["gate open"])

    def test_answers_without_a_look_at_anything(self) -> None:
        assert Client().get("/healthz").json() == {"status": "ok"}


class TestMetrics:
    def test_count_requests_by_route_and_never_by_path(self) -> None:
        Client().get("/api/v1/ada.lovelace")
        Client().generic("ADA", "/healthz")

        text = Client().get("/metrics").content.decode()

        assert 'lethe_http_requests_total{method="GET",route="(none)",status="404"}' in text
        assert "lovelace" not in text
        assert '"ADA"' not in text


class TestCursors:
    def test_come_back_as_they_were_given(self) -> None:
        assert decode(encode(["a", 7], binding="x"), binding="x") == ["a", 7]

    def test_are_refused_by_another_list_and_when_changed(self) -> None:
        cursor = encode([1], binding="x")

        for text, binding in ((cursor, "y"), (cursor[:-1], "x"), ("\x00", "x"), ("é", "x")):
            with pytest.raises(InvalidCursor):
                decode(text, binding=binding)


def failing_check() -> list[Any]:
    from core.doctor import Finding

    return [Finding("gate open", is_right=False, remedy="Open it.")]


class TestClock:
    def test_is_moved_by_the_row_in_development_only(self, settings: Settings) -> None:
        from datetime import timedelta

        from core import clock

        move(ahead=timedelta(days=400))
        assert clock.now() - clock.wall() > timedelta(days=399)

        settings.LETHE_DEVELOPMENT = False
        assert clock.now() - clock.wall() < timedelta(days=1)
        with pytest.raises(RuntimeError):
            move(ahead=timedelta(0))
