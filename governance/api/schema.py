"""The OpenAPI document: problems, preconditions, idempotency and access of every operation."""

from collections.abc import Sequence
from typing import Any, ClassVar

from drf_spectacular.openapi import AutoSchema
from drf_spectacular.plumbing import build_parameter_type
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse
from rest_framework import serializers

from core.api import problems
from core.ids import PublicId
from governance.api import access
from governance.api.fields import id_schema
from governance.api.serializers.bulk import FieldErrorSerializer

NDJSON = "application/x-ndjson"
IDEMPOTENCY_KEY = OpenApiParameter(
    "Idempotency-Key",
    {"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[!-~]+$"},
    OpenApiParameter.HEADER,
    description="A repeat with the same key and body within 24 hours acts once.",
)
IF_MATCH = OpenApiParameter(
    "If-Match",
    {"type": "string", "pattern": '^"[0-9]{1,9}"$'},
    OpenApiParameter.HEADER,
    required=True,
    description="The ETag last read.",
)
ETAG = OpenApiParameter(
    "ETag", str, OpenApiParameter.HEADER, response=["200", "201"], description="The version."
)
RETRY_AFTER = OpenApiParameter(
    "Retry-After", int, OpenApiParameter.HEADER, response=["503"], description="Seconds."
)
AFTER = OpenApiParameter(
    "after", {"type": "string", "maxLength": 512}, description="`next` of the page before."
)
PAGE_LIMIT = OpenApiParameter(
    "limit", {"type": "integer", "minimum": 1, "maximum": 500, "default": 100}
)


class ProblemSerializer(serializers.Serializer[Any]):
    """RFC 9457. `code` is stable and kebab-case; no member ever repeats what was sent."""

    type = serializers.CharField(help_text="`urn:lethe:problem:<code>`")
    title = serializers.CharField()
    status = serializers.IntegerField()
    detail = serializers.CharField()
    code = serializers.CharField()
    correlation_id = serializers.CharField()
    errors = FieldErrorSerializer(many=True, required=False)  # type: ignore[assignment]  # API name
    context = serializers.DictField(required=False)  # type: ignore[assignment]  # API name


_MEANINGS: dict[int, str] = {
    400: "Malformed or not valid; `errors` names the fields.",
    401: "No valid token or session.",
    403: "Not permitted: `scope-missing` (also for a purpose that the token may not read), "
    "`role-missing`, `person-needed`, `separation-of-duties`, …",
    404: "It does not exist, or it is another controller's: both answer alike.",
    406: "The Accept header allows none of the route's types.",
    409: "The state does not allow it, or an Idempotency-Key was used for another request.",
    410: "The data subject was erased, or is being erased.",
    412: "It has changed since it was read.",
    413: "Too large.",
    415: "Not the content type of this route.",
    428: "If-Match is missing.",
    429: "Too many requests; see Retry-After.",
    500: "An integrity violation (`key-lost`, `record-tampered`, …); operators are paged.",
    503: "Key store or database does not answer (`key-store-unavailable`); nothing was lost.",
}
_ALWAYS: Sequence[int] = (400, 401, 403, 404, 406, 409, 410, 429, 500, 503)
_WITH_BODY: Sequence[int] = (413, 415)
_PRECONDITION: Sequence[int] = (412, 428)


class ApiSchema(AutoSchema):
    """Adds to each operation what ServiceView does for all of them."""

    path_ids: ClassVar[dict[str, PublicId]] = {
        "subject_id": PublicId.SUBJECT,
        "record_id": PublicId.RECORD,
        "category_id": PublicId.CATEGORY,
        "purpose_id": PublicId.PURPOSE,
        "consent_id": PublicId.CONSENT,
        "lease_id": PublicId.LEASE,
        "request_id": PublicId.REQUEST,
        "lock_id": PublicId.LOCK,
        "rekey_id": PublicId.REKEY,
        "erasure_id": PublicId.ERASURE,
        "mass_act_id": PublicId.MASS_ACT,
    }

    def get_tags(self) -> list[str]:
        return [self.path.removeprefix("/api/v1/").split("/")[0].split(":")[0]]

    def get_description(self) -> str:  # type: ignore[override]  # as the package's own
        rule = access.describe(self.view)
        return f"{super().get_description() or ''}\n\n{rule}".strip()

    def get_override_parameters(self) -> list[Any]:
        parameters = [*super().get_override_parameters(), RETRY_AFTER]
        if self.method in getattr(self.view, "idempotent", ()):
            parameters.append(IDEMPOTENCY_KEY)
        if self.method in getattr(self.view, "conditional", ()):
            parameters.append(IF_MATCH)
        if self.method in getattr(self.view, "versioned", ()):
            parameters.append(ETAG)
        return parameters

    def get_auth(self) -> list[Any]:
        """Each scheme is enough by itself."""
        return [{name: scopes} for given in super().get_auth() for name, scopes in given.items()]

    def _get_response_bodies(self, direction: Any = "response") -> dict[str, Any]:
        bodies: dict[str, Any] = super()._get_response_bodies(direction)
        for status in self._problem_statuses():
            problem = OpenApiResponse(ProblemSerializer, _MEANINGS[status])
            bodies[str(status)] = self._get_response_for_code(  # type: ignore[no-untyped-call]
                problem, str(status), (problems.MEDIA_TYPE,), direction
            )
        return bodies

    def _problem_statuses(self) -> list[int]:
        statuses = [*_ALWAYS]
        if self.method == "POST":
            statuses += _WITH_BODY
        if self.method in getattr(self.view, "conditional", ()):
            statuses += _PRECONDITION
        return sorted(statuses)

    def _get_format_parameters(self) -> list[Any]:
        """None: the Accept header chooses."""
        return []

    def _resolve_path_parameters(self, variables: Sequence[str]) -> list[dict[str, Any]]:
        return [
            build_parameter_type(
                name=variable,
                location=OpenApiParameter.PATH,
                schema=id_schema(self.path_ids[variable]),
            )
            for variable in variables
        ]


def ndjson(line: Any, description: str = "") -> dict[tuple[int, str], OpenApiResponse]:
    """A 200 answer of lines, each by the schema of `line`."""
    return {(200, NDJSON): OpenApiResponse(line, description or "One JSON object per line.")}
