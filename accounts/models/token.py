"""Tokens and codes, of which only SHA-256 checksums are stored.

All are random and long, so a checksum tells nothing and a dump of these tables opens nothing.
Check constraints make the database refuse a token in clear.
"""

from typing import ClassVar

from django.db import models
from django.db.models import Q
from oauth2_provider.models import (
    AbstractAccessToken,
    AbstractGrant,
    AbstractIDToken,
    AbstractRefreshToken,
)

from core.clock import now

_CHECKSUM = r"^[0-9a-f]{64}$"


class AccessToken(AbstractAccessToken):  # type: ignore[misc]  # the toolkit carries no types
    objects: ClassVar[models.Manager["AccessToken"]] = models.Manager()

    class Meta:
        constraints = [
            models.CheckConstraint(name="accounts_access_token_not_stored", condition=Q(token="")),
        ]

    def is_expired(self) -> bool:
        return self.expires is None or now() >= self.expires


class RefreshToken(AbstractRefreshToken):  # type: ignore[misc]  # the toolkit carries no types
    objects: ClassVar[models.Manager["RefreshToken"]] = models.Manager()

    class Meta(AbstractRefreshToken.Meta):  # type: ignore[misc]
        constraints = [
            models.CheckConstraint(name="accounts_refresh_token_not_stored", condition=Q(token="")),
        ]


class AuthorizationGrant(AbstractGrant):  # type: ignore[misc]  # the toolkit carries no types
    """`code` holds the checksum of the code."""

    objects: ClassVar[models.Manager["AuthorizationGrant"]] = models.Manager()

    class Meta:
        constraints = [
            models.CheckConstraint(
                name="accounts_code_is_checksum", condition=Q(code__regex=_CHECKSUM)
            ),
        ]

    def is_expired(self) -> bool:
        return self.expires is None or now() >= self.expires


class IDToken(AbstractIDToken):  # type: ignore[misc]  # the toolkit carries no types
    """Only there because the toolkit needs the model: OpenID Connect is off, no row is written."""

    objects: ClassVar[models.Manager["IDToken"]] = models.Manager()

    class Meta:
        pass
