"""Versions of status lists: made on a timer, padded with decoys, signed as credentials.

A version flips as many bits whether nobody withdrew or some did, so that neither a version nor the
digest of one on a chain tells that somebody has.
"""

import base64
import hashlib
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from django.conf import settings

from contracts.domain import status_list
from contracts.models import StatusEntry, StatusList, StatusVersion
from contracts.services import status_lists
from core import canonical, failpoints, runtime, signing_keys
from core.ports import Signer
from core.unit_of_work import no_open_transaction, unit_of_work

#: How long the documents of versions that are not the newest are kept.
KEPT: Final = timedelta(days=30)
#: A list of which so many places are taken gives out no more: the rest is for decoys.
_FULL: Final = status_list.ENTRIES // 2


@no_open_transaction
def publish(*, now: datetime) -> list[StatusVersion]:
    """The next version of every list. Raises Unavailable (the signer; repeat).

    What broke off goes on with the very places that it had chosen.
    """
    signer: Signer = runtime.port("signer")
    keys = signer.verifying_keys()
    with unit_of_work():
        signing_keys.archive(keys, now=now)
    made = []
    for pk in StatusList.objects.order_by("pk").values_list("pk", flat=True):
        flipped = _chosen(pk)
        failpoints.reach("contracts.status.chosen")
        row = StatusList.objects.get(pk=pk)
        row.bits = status_list.with_set(bytes(row.bits), flipped)
        document = _signed(credential(row, now=now), signer, key_id=keys[-1].key_id)
        failpoints.reach("contracts.status.signed")
        version = _store(row, flipped, document, now=now)
        made += [] if version is None else [version]
    return made


def _chosen(pk: int) -> list[int]:
    """What is due, with decoys beside it that are due from now on, too."""
    with unit_of_work():
        row = StatusList.objects.select_for_update().defer("bits").get(pk=pk)
        rows = StatusEntry.objects.filter(status_list=row, is_due=True)
        due = list(rows.values_list("index", flat=True))
        return [*due, *status_lists.take(row, status_list.flips(len(due)) - len(due), is_due=True)]


def _store(
    made: StatusList, flipped: Sequence[int], document: str, *, now: datetime
) -> StatusVersion | None:
    """Publish it in one commit; None when another process has published meanwhile."""
    with unit_of_work():
        row = StatusList.objects.select_for_update().defer("bits").get(pk=made.pk)
        if row.version != made.version:
            return None
        entries = StatusEntry.objects.filter(status_list=row)
        entries.filter(index__in=flipped).update(is_due=False, is_set=True)
        made.version += 1
        made.is_closed = row.is_closed or entries.count() >= _FULL
        made.save(update_fields=["bits", "version", "is_closed"])
        old = StatusVersion.objects.filter(status_list=row, published_at__lt=now - KEPT)
        old.exclude(document="").update(document="")
        return StatusVersion.objects.create(
            status_list=row,
            number=made.version,
            document=document,
            digest=hashlib.sha256(document.encode()).digest(),
            published_at=now,
        )


def url_of(list_id: bytes) -> str:
    """Where a list is served."""
    return f"{settings.LETHE_PUBLIC_URL.rstrip('/')}/status/{list_id.hex()}"


def credential(row: StatusList, *, now: datetime) -> dict[str, Any]:
    """A BitstringStatusListCredential (VC Data Model 2.0) over the list as it stands."""
    url = url_of(bytes(row.list_id))
    every = timedelta(seconds=settings.LETHE_STATUS_EVERY)
    return {
        "@context": ["https://www.w3.org/ns/credentials/v2"],
        "id": url,
        "type": ["VerifiableCredential", "BitstringStatusListCredential"],
        "issuer": settings.LETHE_PUBLIC_URL.rstrip("/"),
        "validFrom": canonical.instant(now),
        "validUntil": canonical.instant(now + max(24 * every, timedelta(days=1))),
        "credentialSubject": {
            "id": f"{url}#list",
            "type": "BitstringStatusList",
            "statusPurpose": "revocation",
            "ttl": int(every.total_seconds() * 1000),
            "encodedList": status_list.encoded(bytes(row.bits)),
        },
    }


def _signed(content: dict[str, Any], signer: Signer, *, key_id: str) -> str:
    """Secured as `vc+jwt` (VC-JOSE-COSE), with Ed25519 (RFC 8037). Raises SigningKeyChanged."""
    head = {"alg": "EdDSA", "cty": "vc", "kid": key_id, "typ": "vc+jwt"}
    text = f"{_base64url(canonical.encode(head))}.{_base64url(canonical.encode(content))}"
    signature = signer.sign(text.encode())
    if signature.key_id != key_id:
        raise signing_keys.SigningKeyChanged
    return f"{text}.{_base64url(signature.value)}"


def _base64url(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).decode().rstrip("=")
