from django.apps import AppConfig


class CoreConfig(AppConfig):
    name = "core"

    def ready(self) -> None:
        """Refuse to start with an effect kind whose handler cannot be found."""
        from core import checks  # noqa: F401 - registers the system checks
