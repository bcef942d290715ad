"""Sign-in rules of staff: accounts are made by `manage.py` only."""

from allauth.account.adapter import DefaultAccountAdapter
from django.http import HttpRequest


class ClosedSignup(DefaultAccountAdapter):  # type: ignore[misc]  # allauth carries no types
    """Nobody signs up; `next` leads to this site only (allauth checks it against our host)."""

    def is_open_for_signup(self, request: HttpRequest) -> bool:
        del request
        return False
