from django.apps import AppConfig


class GovernanceConfig(AppConfig):
    """Purposes, consent, requests, decisions, leases and certificates."""

    name = "governance"
