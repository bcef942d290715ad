"""Sign-in rules of staff: accounts are made by `manage.py` only."""

from typing import Any

from allauth.account.adapter import DefaultAccountAdapter
from django.http import HttpRequest


class ClosedSignup(DefaultAccountAdapter):  # type: ignore[misc]  # allauth carries no types
    """Nobody signs up; `next` leads to this site only (allauth checks it against our hosts)."""

    def is_open_for_signup(self, request: HttpRequest) -> bool:
        del request
        return False

    def send_mail(self, template_prefix: str, email: str, context: dict[str, Any]) -> None:
        """Send allauth's mail, but none to addresses without an account."""
        if template_prefix != "account/email/unknown_account":
            super().send_mail(template_prefix, email, context)
