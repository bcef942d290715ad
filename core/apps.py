from django.apps import AppConfig
from django.conf import settings


class CoreConfig(AppConfig):
    name = "core"

    def ready(self) -> None:
        """Refuse to start with an effect kind whose handler cannot be found."""
        from core import checks, failpoints, lookups  # noqa: F401 - checks, lookups register

        if settings.LETHE_DEVELOPMENT:
            failpoints.arm_from_environment()
