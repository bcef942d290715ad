from django.apps import AppConfig


class VaultConfig(AppConfig):
    """Sealed data and keys; knows nothing of consent or law."""

    name = "vault"
