"""A fixed registry of scopes, so that these suites do not need the governance tables."""

from accounts.models import APIClient

ALL = {
    "records:write": "Write records",
    "consent:write": "Pass consent on",
    "staff:act": "Act with your roles",
}


class KnownScopes:
    def get_all_scopes(self) -> dict[str, str]:
        return ALL

    def get_available_scopes(self, application: APIClient, **_: object) -> list[str]:
        return [scope for scope in application.allowed_scopes if scope in ALL]

    def get_default_scopes(self, application: APIClient, **_: object) -> list[str]:
        return self.get_available_scopes(application)
