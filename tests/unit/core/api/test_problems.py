import inspect
import json
from typing import Any

import pytest
from django.core.exceptions import PermissionDenied, SuspiciousOperation
from django.db import OperationalError
from django.http import Http404
from rest_framework import exceptions as drf
from rest_framework import serializers

from core import errors
from core.api import problems

CANARY = "ada.lovelace@example.org"


def answer(error: Exception) -> tuple[int, dict[str, Any]]:
    response = problems.handler(error, {})
    assert response.content_type == "application/problem+json"
    data: dict[str, Any] = response.data
    return response.status_code, data


class Contact(serializers.Serializer[Any]):
    email = serializers.EmailField()
    age = serializers.IntegerField()
    tags = serializers.ListField(child=serializers.CharField(max_length=3))


class TestHandler:
    @pytest.mark.parametrize(
        ("error", "status", "code"),
        [
            (errors.InvalidInput(), 400, "invalid-input"),
            (errors.NotAuthenticated(), 401, "not-authenticated"),
            (errors.NotPermitted(), 403, "not-permitted"),
            (errors.NotFound(), 404, "not-found"),
            (errors.Erased(), 410, "erased"),
            (errors.Conflict(), 409, "conflict"),
            (errors.Withheld(), 409, "withheld"),
            (errors.PreconditionFailed(), 412, "precondition-failed"),
            (errors.TooLarge(), 413, "too-large"),
            (errors.UnsupportedMediaType(), 415, "unsupported-media-type"),
            (errors.PreconditionRequired(), 428, "precondition-required"),
            (errors.Throttled(), 429, "throttled"),
            (errors.Unavailable(), 503, "unavailable"),
            (errors.IntegrityViolation(), 500, "integrity-violation"),
            (drf.ParseError(CANARY), 400, "invalid-input"),
            (drf.NotAuthenticated(), 401, "not-authenticated"),
            (drf.AuthenticationFailed(), 401, "not-authenticated"),
            (drf.PermissionDenied(), 403, "not-permitted"),
            (drf.MethodNotAllowed("PUT"), 405, "method-not-allowed"),
            (drf.NotAcceptable(), 406, "not-acceptable"),
            (drf.UnsupportedMediaType(CANARY), 415, "unsupported-media-type"),
            (drf.Throttled(wait=7), 429, "throttled"),
            (Http404(CANARY), 404, "not-found"),
            (PermissionDenied(CANARY), 403, "not-permitted"),
            (SuspiciousOperation(CANARY), 400, "invalid-input"),
            (OperationalError(CANARY), 503, "database-unavailable"),
            (ValueError(CANARY), 500, "internal-error"),
        ],
        ids=lambda value: type(value).__name__ if isinstance(value, Exception) else None,
    )
    def test_maps(self, error: Exception, status: int, code: str) -> None:
        given, body = answer(error)

        assert (given, body["status"], body["code"]) == (status, status, code)
        assert body["type"] == f"urn:lethe:problem:{code}"
        assert CANARY not in json.dumps(body)

    def test_knows_every_family(self) -> None:
        families = {
            family
            for _name, family in inspect.getmembers(errors, inspect.isclass)
            if issubclass(family, errors.ServiceError) and family is not errors.ServiceError
        }

        assert families == {family for family, _status in problems.STATUS}

    def test_sends_retry_after_with_an_outage(self) -> None:
        assert problems.handler(errors.Unavailable(), {})["Retry-After"] == "5"

    def test_names_the_scheme_with_401(self) -> None:
        response = problems.handler(errors.NotAuthenticated(), {})

        assert response["WWW-Authenticate"].startswith("Bearer")

    def test_names_the_field_of_our_own_errors(self) -> None:
        _status, body = answer(errors.InvalidInput("Too short.", field="email", minimum=3))

        assert body["errors"] == [
            {"field": "email", "code": "invalid-input", "message": "Too short."}
        ]
        assert body["context"] == {"minimum": 3}

    def test_names_every_field_of_a_serializer_and_repeats_no_value(self) -> None:
        serializer = Contact(data={"email": "ada lovelace", "tags": ["ok", "canary-7"]})
        with pytest.raises(drf.ValidationError) as caught:
            serializer.is_valid(raise_exception=True)

        _status, body = answer(caught.value)

        assert [(item["field"], item["code"]) for item in body["errors"]] == [
            ("email", "invalid"),
            ("age", "required"),
            ("tags.1", "max-length"),
        ]
        assert "lovelace" not in json.dumps(body)
        assert "canary" not in json.dumps(body)
