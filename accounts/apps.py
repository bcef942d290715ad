"""The accounts app: who may act, for which controller, through which client."""

from importlib import import_module

from django.apps import AppConfig


class AccountsConfig(AppConfig):
    name = "accounts"
    label = "accounts"
    verbose_name = "Accounts"

    def ready(self) -> None:
        import_module("accounts.api.schema")  # registers itself with drf-spectacular
