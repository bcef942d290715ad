from django.apps import AppConfig


class ContractsConfig(AppConfig):
    """The log and its proofs; knows leaves, never what they commit to."""

    name = "contracts"
