"""Key custody on HashiCorp Vault or OpenBao: shares in KV v2, wrapping by transit."""

from collections.abc import Sequence

from vault.adapters.hashicorp.client import Client
from vault.adapters.hashicorp.layout import Layout
from vault.adapters.hashicorp.shares import Shares
from vault.adapters.hashicorp.wrapping import Item, Wrapping
from vault.ports import (
    DestructionReading,
    FreshShare,
    GrantFailure,
    GrantToMake,
    GrantToOpen,
    ShareRef,
    ShareState,
)


class HashicorpCustodian:
    """Implements KeyCustodian. What it may do is what this process's role may do."""

    def __init__(self, client: Client, layout: Layout) -> None:
        self._shares = Shares(client, layout)
        self._wrapping = Wrapping(client, layout)

    def create_shares(self, refs: Sequence[ShareRef]) -> list[FreshShare | ShareState]:
        """See `KeyCustodian`; raises CustodianRefused too."""
        return self._shares.create(refs)

    def open_grants(self, grants: Sequence[GrantToOpen]) -> list[bytes | GrantFailure]:
        """See `KeyCustodian`; raises CustodianRefused when this process may read no share."""
        secrets = self._shares.read([grant.share for grant in grants])
        items = [
            Item(grant.wrapping_key, grant.share.kid, secret, grant.wrapped)
            for grant, secret in zip(grants, secrets, strict=True)
            if isinstance(secret, bytes)
        ]
        return _merge(secrets, self._wrapping.decrypt(items))

    def make_grants(self, grants: Sequence[GrantToMake]) -> list[bytes | GrantFailure]:
        """See `KeyCustodian`; raises CustodianRefused when this process may read no share."""
        secrets = self._secrets(grants)
        items = [
            Item(grant.wrapping_key, _ref(grant).kid, secret, grant.data_key)
            for grant, secret in zip(grants, secrets, strict=True)
            if isinstance(secret, bytes)
        ]
        return _merge(secrets, self._wrapping.encrypt(items))

    def destroy_shares(self, refs: Sequence[ShareRef]) -> None:
        """See `KeyCustodian`; raises CustodianRefused too."""
        self._shares.destroy(refs)

    def read_destruction(self, refs: Sequence[ShareRef]) -> list[DestructionReading]:
        """See `KeyCustodian`; CustodianUnavailable names the node that does not answer."""
        return self._shares.read_destruction(refs)

    def _secrets(self, grants: Sequence[GrantToMake]) -> list[bytes | GrantFailure]:
        """The secret of each share; one just created is not read."""
        stored = [grant.share for grant in grants if isinstance(grant.share, ShareRef)]
        held = dict(zip(stored, self._shares.read(stored), strict=True))
        return [
            grant.share.secret if isinstance(grant.share, FreshShare) else held[grant.share]
            for grant in grants
        ]


def _ref(grant: GrantToMake) -> ShareRef:
    return grant.share.ref if isinstance(grant.share, FreshShare) else grant.share


def _merge(
    secrets: list[bytes | GrantFailure], results: list[bytes | GrantFailure]
) -> list[bytes | GrantFailure]:
    """Results where there was a share, the share's failure where there was none."""
    left = iter(results)
    return [next(left) if isinstance(secret, bytes) else secret for secret in secrets]
