"""What each process may and may not do, tried on a real Vault with its own credential."""

import os

import pytest

from tests.custodian.conftest import CONTROLLER, Act
from tests.servers.vaultd import STREAM, VaultServer
from vault.ports import FreshShare, GrantFailure, GrantToMake, GrantToOpen, ShareState

pytestmark = pytest.mark.vault

#: Of the log, as it is kept.
LOG_HEAD = {"generation": 0, "size": 0, "root": "00" * 32}
#: What nobody may have written yet.
UNSET = {"read-marker", "read-log-head"}
ROLES = ["web", "worker", "eraser", "attester", "loggerd", "beat", STREAM]
B64 = "AAAA"
ITEM = {"plaintext": B64, "context": B64}
SEALED = {"ciphertext": "vault:v1:" + "A" * 80, "context": B64}
SHARE = {"options": {"cas": 0}, "data": {"s": B64}}

#: Acts in words, as (method, path, body); {share}, {new}, {pool}, {other} are filled in.
ACTS: dict[str, tuple[str, str, object]] = {
    "create-share": ("POST", "{p}shares/data/{new}", SHARE),
    "read-share": ("GET", "{p}shares/data/{share}", None),
    "overwrite-share": ("POST", "{p}shares/data/{share}", {**SHARE, "options": {"cas": 1}}),
    "hide-share": ("DELETE", "{p}shares/data/{share}", None),
    "undelete-share": ("POST", "{p}shares/undelete/{share}", {"versions": [1]}),
    "destroy-share": ("POST", "{p}shares/destroy/{share}", {"versions": [1]}),
    "read-metadata": ("GET", "{p}shares/metadata/{share}", None),
    "change-metadata": ("POST", "{p}shares/metadata/{share}", {"max_versions": 9}),
    "delete-metadata": ("DELETE", "{p}shares/metadata/{share}", None),
    "list-shares": ("LIST", "{p}shares/metadata/", None),
    "configure-shares": ("POST", "{p}shares/config", {"max_versions": 9}),
    "wrap-custody": ("POST", "{p}custody/encrypt/custody", ITEM),
    "open-custody": ("POST", "{p}custody/decrypt/custody", SEALED),
    "wrap-purpose": ("POST", "{p}wrap/encrypt/{pool}", ITEM),
    "open-purpose": ("POST", "{p}wrap/decrypt/{pool}", SEALED),
    "open-other-purpose": ("POST", "{p}wrap/decrypt/{other}", SEALED),
    "rewrap-purpose": ("POST", "{p}wrap/rewrap/{pool}", SEALED),
    "mint-by-encrypting": ("POST", "{p}wrap/encrypt/p-ffffffffffffffff", ITEM),
    "mint-custody-elsewhere": ("POST", "{p}wrap/encrypt/custody", ITEM),
    "make-key": ("POST", "{p}wrap/keys/p-ffffffffffffffff", {"type": "aes256-gcm96"}),
    "delete-key": ("DELETE", "{p}wrap/keys/{other}", None),
    "configure-key": ("POST", "{p}wrap/keys/{other}/config", {"exportable": True}),
    "export-key": ("GET", "{p}wrap/export/encryption-key/{other}", None),
    "backup-key": ("GET", "{p}wrap/backup/{other}", None),
    "list-keys": ("LIST", "{p}wrap/keys", None),
    "read-key": ("GET", "{p}wrap/keys/{other}", None),
    "read-custody-key": ("GET", "{p}custody/keys/custody", None),
    "rotate-custody": ("POST", "{p}custody/keys/custody/rotate", {}),
    "raise-minimum": ("POST", "{p}wrap/keys/{other}/config", {"min_decryption_version": 1}),
    "raise-custody": ("POST", "{p}custody/keys/custody/config", {"min_decryption_version": 1}),
    "allow-deletion": ("POST", "{p}wrap/keys/{other}/config", {"deletion_allowed": True}),
    "raise-and-export": (
        "POST",
        "{p}wrap/keys/{other}/config",
        {"min_decryption_version": 1, "exportable": True},
    ),
    "trim-key": ("POST", "{p}wrap/keys/{other}/trim", {"min_available_version": 1}),
    "rewrap-custody": ("POST", "{p}custody/rewrap/custody", SEALED),
    "rotate-key": ("POST", "{p}wrap/keys/{other}/rotate", {}),
    "make-data-key": ("POST", "{p}wrap/datakey/plaintext/{pool}", {"context": B64}),
    "allow-minting": ("POST", "{p}wrap/config/keys", {"disable_upsert": False}),
    "hash-lookup": ("POST", "{p}lookup/hmac/lookup", {"input": B64}),
    "hash-suppression": ("POST", "{p}lookup/hmac/suppression", {"input": B64}),
    "sign-web": ("POST", "{p}sign/sign/web", {"input": B64}),
    "sign-attester": ("POST", "{p}sign/sign/attester", {"input": B64}),
    "sign-loggerd": ("POST", "{p}sign/sign/loggerd", {"input": B64}),
    "sign-eraser": ("POST", "{p}sign/sign/eraser", {"input": B64}),
    "read-marker": ("GET", "{p}marker/data/journal", None),
    "read-log-head": ("GET", "{p}marker/data/log", None),
    "write-log-head": ("POST", "{p}marker/data/log", {"data": LOG_HEAD}),
    "write-marker": ("POST", "{p}marker/data/journal", {"data": {"sequence": 1}}),
}

#: What is allowed; everything else in ACTS is not.
WEB = {
    "create-share", "read-share", "wrap-custody", "open-custody", "wrap-purpose", "hash-lookup",
    "hash-suppression", "sign-web", "read-marker", "read-key", "read-custody-key",
}  # fmt: skip
ALLOWED: dict[str, set[str]] = {
    "web": WEB,
    "worker": WEB,
    STREAM: {"read-share", "open-purpose"},
    "eraser": {
        "destroy-share",
        "read-metadata",
        "list-shares",
        "read-marker",
        "write-marker",
        "sign-eraser",
        "read-key",
        "read-custody-key",
    },
    "attester": {"read-metadata", "sign-attester", "read-marker"},
    "loggerd": {"sign-loggerd", "read-log-head", "write-log-head"},
    "beat": {
        "read-share",
        "list-keys",
        "read-key",
        "read-custody-key",
        "rotate-key",
        "rotate-custody",
        "rewrap-purpose",
        "rewrap-custody",
        "raise-minimum",
        "raise-custody",
    },
}
#: What nobody but an administrator may do.
SYSTEM = {
    "raw-list": ("LIST", "sys/raw/", None),
    "raw-read": ("GET", "sys/raw/core/keyring", None),
    "snapshot": ("GET", "sys/storage/raft/snapshot", None),
    "restore": ("POST", "sys/storage/raft/snapshot-force", {}),
    "policy-write": ("PUT", "sys/policies/acl/{p}web", {"policy": ""}),
    "policy-read": ("GET", "sys/policies/acl/{p}web", None),
    "mounts": ("GET", "sys/mounts", None),
    "unmount": ("DELETE", "sys/mounts/{p}shares", None),
    "remount": ("POST", "sys/remount", {"from": "{p}shares", "to": "elsewhere"}),
    "audit-list": ("GET", "sys/audit", None),
    "audit-off": ("DELETE", "sys/audit/file", None),
    "seal": ("PUT", "sys/seal", {}),
    "rotate-barrier": ("PUT", "sys/rotate", {}),
    "own-role": ("POST", "auth/approle/role/{p}web", {"token_policies": ["root"]}),
    "other-secret": ("POST", "auth/approle/role/{p}eraser/secret-id", {}),
    "child-token": ("POST", "auth/token/create", {}),
    "cubbyhole": ("POST", "cubbyhole/x", {"x": "y"}),
    "wrap-response": ("POST", "sys/wrapping/wrap", {"x": "y"}),
}


def _fill(server: VaultServer, share: FreshShare, path: str) -> str:
    kid, new = share.ref.kid.hex(), os.urandom(16).hex()
    return path.format(
        p=server.layout.prefix,
        share=f"{CONTROLLER}/{kid[:2]}/{kid}",
        new=f"{CONTROLLER}/{new[:2]}/{new}",
        pool=server.pool[0],
        other=server.pool[3],
    )


class TestRole:
    @pytest.mark.parametrize(
        ("role", "name"), [(role, name) for role in ROLES for name in ACTS if name in ALLOWED[role]]
    )
    def test_may(
        self, vault_server: VaultServer, share: FreshShare, act: Act, role: str, name: str
    ) -> None:
        method, path, body = ACTS[name]

        answer = act(role, method, _fill(vault_server, share, path), body)

        # A ciphertext of zeros does not open and an unset marker is not found: both were let in.
        let_in = {400} if "open" in name or "rewrap" in name else {200, 204}
        assert answer.status in let_in | ({404} if name in UNSET else set())

    @pytest.mark.parametrize(
        ("role", "name"),
        [(role, name) for role in ROLES for name in ACTS if name not in ALLOWED[role]],
    )
    def test_may_not(
        self, vault_server: VaultServer, share: FreshShare, act: Act, role: str, name: str
    ) -> None:
        method, path, body = ACTS[name]

        answer = act(role, method, _fill(vault_server, share, path), body)

        assert answer.status == 403
        (reading,) = vault_server.custodian("attester").read_destruction([share.ref])
        assert (reading.state, reading.versions) == (ShareState.LIVE, 1)

    @pytest.mark.parametrize("role", ROLES)
    @pytest.mark.parametrize("name", SYSTEM)
    def test_may_not_administer(
        self, vault_server: VaultServer, act: Act, role: str, name: str
    ) -> None:
        method, path, body = SYSTEM[name]

        answer = act(role, method, path.format(p=vault_server.layout.prefix), body)

        assert answer.status == 403


class TestMinting:
    def test_leaves_no_key_behind(self, vault_server: VaultServer, act: Act) -> None:
        for name in ("mint-by-encrypting", "mint-custody-elsewhere", "make-key"):
            method, path, body = ACTS[name]
            for role in ROLES:
                act(role, method, path.format(p=vault_server.layout.prefix), body)

        keys = vault_server.admin("LIST", f"{vault_server.layout.wrap}/keys").data()["keys"]
        assert sorted(keys) == vault_server.pool

    def test_is_off_even_for_an_administrator(self, vault_server: VaultServer) -> None:
        path = f"{vault_server.layout.wrap}/encrypt/p-ffffffffffffffff"

        answer = vault_server.admin("POST", path, b'{"plaintext": "AAAA", "context": "AAAA"}')

        assert answer.status == 400


class TestStream:
    def test_opens_the_purposes_attached_and_no_other(
        self, vault_server: VaultServer, share: FreshShare
    ) -> None:
        names = [*vault_server.pool[:3], "custody"]
        web, stream = vault_server.custodian("web"), vault_server.custodian(STREAM)
        made = web.make_grants([GrantToMake(share, name, bytes(32)) for name in names])

        opened = stream.open_grants(
            [
                GrantToOpen(share.ref, name, wrapped)
                for name, wrapped in zip(names, made, strict=True)
                if isinstance(wrapped, bytes)
            ]
        )

        assert opened == [bytes(32), bytes(32), *[GrantFailure.NOT_PERMITTED] * 2]

    def test_loses_a_purpose_that_is_detached(
        self, vault_server: VaultServer, share: FreshShare
    ) -> None:
        kept, lost = vault_server.pool[:2]
        administration = vault_server.administration
        administration.attach(stream="brief", purposes=[kept, lost])
        made = vault_server.custodian("web").make_grants(
            [GrantToMake(share, name, bytes(32)) for name in (kept, lost)]
        )
        grants = [
            GrantToOpen(share.ref, name, wrapped)
            for name, wrapped in zip((kept, lost), made, strict=True)
            if isinstance(wrapped, bytes)
        ]
        assert vault_server.custodian("stream-brief").open_grants(grants) == [bytes(32)] * 2

        administration.attach(stream="brief", purposes=[kept])

        opened = vault_server.custodian("stream-brief").open_grants(grants)
        assert opened == [bytes(32), GrantFailure.NOT_PERMITTED]


class TestPoolKey:
    def test_cannot_be_exported_and_is_derived(self, vault_server: VaultServer) -> None:
        for name in (*vault_server.pool, "custody"):
            mount = vault_server.layout.custody if name == "custody" else vault_server.layout.wrap
            key = vault_server.admin("GET", f"{mount}/keys/{name}").data()

            assert key["type"] == "aes256-gcm96"
            assert key["derived"] is True
            assert key["exportable"] is False
            assert key["allow_plaintext_backup"] is False
