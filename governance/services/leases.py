"""Leases: one consumer reads one purpose for some hours; who was left out is said at the start.

A lease is opened and closed by web processes; the stream process only reads it and notes how a
stream ended, since its database role may do no more.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from uuid import UUID

import orjson
from django.conf import settings
from django.db.models import F

from core import audit, ids
from core.actors import Actor
from core.errors import Conflict, InvalidInput, NotFound, NotPermitted, ServiceError
from core.ids import PublicId
from core.unit_of_work import no_open_transaction, unit_of_work
from governance.models import Category, Lease, PurposeVersion
from governance.services import consent, lease_cursor, lease_pages, purposes
from governance.services.lease_cursor import Split
from governance.services.lease_pages import ALL_FIELDS, Clock, Reading, Sent
from vault.services import purpose_keys

MAX_SPLITS = 256


class LeaseNotFound(NotFound):
    """No such lease, or another client's."""

    code = "lease-not-found"
    text = "There is no lease of yours with this id."


class LeaseClosed(Conflict):
    """Its holder closed it."""

    code = "lease-closed"
    text = "The lease is closed; open a new one."


class LeaseExpired(Conflict):
    """It is past its time."""

    code = "lease-expired"
    text = "The lease has expired; open a new one and resume from its beginning."


class LeaseRevoked(Conflict):
    """The controller ended it."""

    code = "lease-revoked"
    text = "The lease was revoked."


class ClientNeeded(NotPermitted):
    """People do not stream data; pipelines do."""

    code = "client-needed"
    text = "A lease is opened by a client with the scope of the purpose."


class CategoryNotOfPurpose(InvalidInput):
    """The purpose's version does not read this category."""

    code = "category-not-of-purpose"
    text = "The purpose does not read one of these categories."


@no_open_transaction
def open_lease(
    *,
    controller_id: UUID,
    purpose_id: UUID,
    category_codes: Sequence[str] | None,
    run: str,
    actor: Actor,
    now: datetime,
) -> Lease:
    """Open a lease on the purpose's active version, for the calling client only.

    Left out of `category_codes`, all categories of the version are read. Counts and exclusions
    are as of now; pages are always as of the moment they are read. That the client may read the
    purpose is the caller's to check.
    Raises PurposeNotFound, PurposeNotActive, CategoryNotOfPurpose, ClientNeeded.
    """
    if actor.client_id is None or actor.person_id is not None:
        raise ClientNeeded
    version = purposes.active_version(controller_id=controller_id, purpose_id=purpose_id)
    codes = _chosen(version, category_codes)
    counts = consent.lease_counts(controller_id=controller_id, version=version)
    with unit_of_work():
        lease = Lease.objects.create(
            id=ids.new_time_ordered(),
            controller_id=controller_id,
            purpose_id=purpose_id,
            version=version,
            client_id=actor.client_id,
            categories=codes,
            run=run,
            subjects=counts.readable,
            exclusions=counts.exclusions,
            opened_at=now,
            expires_at=now + timedelta(hours=settings.LETHE_LEASE_HOURS),
        )
        _record("governance.lease.opened", lease, actor=actor, now=now)
    return lease


def _chosen(version: PurposeVersion, codes: Sequence[str] | None) -> list[str]:
    readable = list(version.fields)
    if codes is None:
        return readable
    if not set(codes) <= set(readable):
        raise CategoryNotOfPurpose(field="categories")
    return [code for code in readable if code in set(codes)]


def scope(purpose_id: UUID) -> str:
    """The scope that lets a client read a purpose."""
    return f"purpose:{ids.format(PublicId.PURPOSE, purpose_id)}:read"


def get(*, controller_id: UUID, lease_id: UUID, actor: Actor) -> Lease:
    """The client's own lease. Raises LeaseNotFound, also for another client's."""
    lease = (
        Lease.objects.select_related("version")
        .filter(id=lease_id, controller_id=controller_id, client_id=actor.client_id)
        .first()
    )
    if lease is None or actor.client_id is None:
        raise LeaseNotFound
    return lease


def state(lease: Lease, *, now: datetime) -> str:
    """`open`, `closed`, `revoked` or `expired`."""
    if lease.closed_at is not None:
        return "closed"
    if lease.revoked_at is not None:
        return "revoked"
    return "open" if now < lease.expires_at else "expired"


def require_open(lease: Lease, *, now: datetime) -> None:
    """Raise LeaseClosed, LeaseRevoked or LeaseExpired unless the lease is open."""
    failures: Mapping[str, type[Conflict]] = {
        "closed": LeaseClosed,
        "revoked": LeaseRevoked,
        "expired": LeaseExpired,
    }
    failure = failures.get(state(lease, now=now))
    if failure is not None:
        raise failure


def close(*, lease: Lease, actor: Actor, now: datetime) -> Lease:
    """End the lease; no page follows. Closing again changes nothing."""
    with unit_of_work():
        locked = Lease.objects.select_for_update().get(id=lease.id)
        if locked.closed_at is None:
            locked.closed_at = now
            locked.save(update_fields=["closed_at"])
            _record("governance.lease.closed", locked, actor=actor, now=now)
    return locked


def stream(
    *, lease: Lease, after: str | None, split: Split, limit: int, clock: Clock
) -> Iterator[bytes]:
    """Pages of records, each with its trailer, and a last line that says the stream is whole.

    Before every page the lease is read anew. What fails in the midst is noted on the lease with
    the cursor to resume from, and raised, so that the connection is cut.
    Raises LeaseClosed, LeaseExpired, LeaseRevoked, InvalidCursor, CustodianUnavailable, …
    """
    require_open(lease, now=clock())
    wanted = _reading(lease, split)
    position = (
        None if after is None else lease_cursor.unseal(after, lease_id=lease.id, split=split)
    )
    cursor, sent = after, 0
    try:
        while True:
            now = clock()
            require_open(Lease.objects.get(id=lease.id), now=now)
            page, position = lease_pages.read(
                wanted, after=position, limit=limit - sent, now=now
            )
            sent += page.records
            cursor = page.cursor
            _count(lease, page)
            is_last = page.cursor is None or sent >= limit
            yield page.body + _trailer(page, sent, is_last=is_last)
            if is_last:
                return
    except ServiceError as error:
        _note(lease, problem=error.code, cursor=cursor or "")
        raise


def _reading(lease: Lease, split: Split) -> Reading:
    found = Category.objects.filter(controller_id=lease.controller_id, code__in=lease.categories)
    codes = {category.id: category.code for category in found}
    allowed = lease.version.fields
    return Reading(
        lease_id=lease.id,
        purpose_id=lease.purpose_id,
        wrapping_key=purpose_keys.wrapping_key(lease.purpose_id),
        codes=codes,
        fields={
            id_: None if ALL_FIELDS in allowed[code] else frozenset(allowed[code])
            for id_, code in codes.items()
        },
        split=split,
    )


def _trailer(page: Sent, sent: int, *, is_last: bool) -> bytes:
    trailer: dict[str, object] = {"cursor": page.cursor, "records": sent}
    lines = b"" if page.cursor is None else orjson.dumps(trailer) + b"\n"
    if is_last:
        end = {"end": True, "complete": page.cursor is None, "records": sent}
        lines += orjson.dumps(end) + b"\n"
    return lines


def _count(lease: Lease, page: Sent) -> None:
    """Progress, and that the stream runs again; without it a resumed lease would look broken."""
    Lease.objects.filter(id=lease.id).update(
        records_sent=F("records_sent") + page.records, problem="", cursor=""
    )


def _note(lease: Lease, *, problem: str, cursor: str) -> None:
    Lease.objects.filter(id=lease.id).update(problem=problem, cursor=cursor)


def _record(action: str, lease: Lease, *, actor: Actor, now: datetime) -> None:
    audit.record(
        action=action,
        actor=actor,
        controller_id=lease.controller_id,
        now=now,
        details={
            "lease": ids.format(PublicId.LEASE, lease.id),
            "purpose": ids.format(PublicId.PURPOSE, lease.purpose_id),
            "categories": list(lease.categories),
            "subjects": lease.subjects,
        },
    )
