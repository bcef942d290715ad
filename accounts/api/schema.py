"""How CallerAuthentication is described in the OpenAPI document."""

from typing import Any

from drf_spectacular.extensions import OpenApiAuthenticationExtension


class CallerAuthenticationScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    """Access tokens of programs and people, and the staff session."""

    target_class = "accounts.api.authentication.CallerAuthentication"
    name = ["oauth2", "session"]

    def get_security_definition(self, auto_schema: Any) -> list[dict[str, Any]]:
        del auto_schema
        flows = {
            "clientCredentials": {"tokenUrl": "/o/token", "scopes": {}},
            "authorizationCode": {
                "authorizationUrl": "/o/authorize",
                "tokenUrl": "/o/token",
                "scopes": {},
            },
        }
        return [
            {"type": "oauth2", "flows": flows},
            {"type": "apiKey", "in": "cookie", "name": "sessionid"},
        ]
