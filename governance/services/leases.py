"""Leases: one consumer reads one purpose for some hours; who was left out is said at the start.

A lease is opened and closed by web processes; the stream process only reads it and notes how a
stream ended, since its database role may do no more.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from typing import TypeAlias
from uuid import UUID

from django.conf import settings
from django.db import DatabaseError, connection

from core import audit, idempotency, ids
from core.actors import Actor
from core.errors import Conflict, InvalidInput, NotFound, NotPermitted, ServiceError
from core.ids import PublicId
from core.unit_of_work import no_open_transaction, unit_of_work
from governance.models import Lease, Purpose, PurposeVersion
from governance.services import (
    categories,
    facts,
    lease_counts,
    lease_cursor,
    lease_pages,
    purposes,
)
from governance.services.lease_cursor import Split
from governance.services.lease_lines import Lines
from governance.services.lease_pages import ALL_FIELDS, Clock, Encoder, Opened, Reading
from vault.services import gate, purpose_keys

MAX_SPLITS = 256
Encoding: TypeAlias = Callable[[Reading], Encoder]


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


class LeaseSuperseded(Conflict):
    """The purpose is retired, or another version of it is in force."""

    code = "lease-superseded"
    text = "The version of the purpose that the lease reads is no longer in force; open a new one."


class ClientNeeded(NotPermitted):
    """People do not stream data; pipelines do."""

    code = "client-needed"
    text = "A lease is opened by a client with the scope of the purpose."


class CategoryNotOfPurpose(InvalidInput):
    """The purpose's version does not read this category."""

    code = "category-not-of-purpose"
    text = "The purpose does not read one of these categories."


_FAILURES: Mapping[Lease.State, type[Conflict]] = {
    Lease.State.CLOSED: LeaseClosed,
    Lease.State.EXPIRED: LeaseExpired,
    Lease.State.REVOKED: LeaseRevoked,
}


@no_open_transaction
def open_lease(
    *,
    controller_id: UUID,
    purpose_id: UUID,
    category_codes: Sequence[str] | None,
    run_reference: str,
    actor: Actor,
    now: datetime,
) -> Lease:
    """Open a lease on the purpose's active version, for the calling client only.

    Left out of `category_codes`, all categories of the version are read. Counts are as of now;
    pages are always as of the moment they are read. That the client may read the purpose is the
    caller's to check.
    Raises PurposeNotFound, PurposeInactive, CategoryNotOfPurpose, ClientNeeded.
    """
    gate.require_open()
    client_id = client_of(actor)
    version = purposes.active_version(controller_id=controller_id, purpose_id=purpose_id)
    fields = _chosen(controller_id, version, category_codes)
    with unit_of_work():
        lease = Lease(
            id=ids.new_time_ordered(),
            controller_id=controller_id,
            purpose_id=purpose_id,
            purpose_version_id=version.id,
            client_id=client_id,
            categories=[UUID(category) for category in fields],
            fields=fields,
            run_reference=run_reference,
            opened_at=now,
            expires_at=now + timedelta(hours=settings.LETHE_LEASE_HOURS),
            counts=lease_counts.count(controller_id=controller_id, version=version),
        )
        told = facts.digest(facts.of_opening(lease, version=version.number))
        lease.events = [_record("governance.lease.opened", lease, told, actor=actor, now=now)]
        lease.save(force_insert=True)
        idempotency.settle(resource_id=ids.format(PublicId.LEASE, lease.id))
    return lease


def _chosen(
    controller_id: UUID, version: PurposeVersion, codes: Sequence[str] | None
) -> dict[str, list[str]]:
    readable: dict[str, list[str]] = version.categories
    if codes is None:
        return readable
    found = categories.by_code(controller_id=controller_id, codes=codes)
    wanted = {code: str(category.id) for code, category in found.items()}
    if set(codes) != set(wanted) or not set(wanted.values()) <= set(readable):
        raise CategoryNotOfPurpose(field="categories")
    return {id_: readable[id_] for id_ in wanted.values()}


def client_of(actor: Actor) -> UUID:
    """The consuming client. Raises ClientNeeded for people and processes."""
    if actor.client_id is None or actor.person_id is not None:
        raise ClientNeeded
    return actor.client_id


def scope(purpose_id: UUID) -> str:
    """The scope that lets a client read a purpose."""
    return f"purpose:{ids.format(PublicId.PURPOSE, purpose_id)}:read"


def get(*, controller_id: UUID, lease_id: UUID, actor: Actor) -> Lease:
    """The client's own lease. Raises LeaseNotFound, also for another client's."""
    if actor.client_id is None or actor.person_id is not None:
        raise LeaseNotFound
    own = Lease.objects.filter(controller_id=controller_id, client_id=actor.client_id)
    lease = own.filter(id=lease_id).first()
    if lease is None:
        raise LeaseNotFound
    return lease


def version_number(lease: Lease) -> int:
    """The number of the purpose's version that the lease reads."""
    return PurposeVersion.objects.values_list("number", flat=True).get(id=lease.purpose_version_id)


def state(lease: Lease, *, now: datetime) -> Lease.State:
    """What the lease is now; only time makes it expired, no timer does."""
    if lease.state == Lease.State.OPEN and now >= lease.expires_at:
        return Lease.State.EXPIRED
    return Lease.State(lease.state)


def require_open(lease: Lease, *, now: datetime) -> None:
    """Raise LeaseClosed, LeaseRevoked or LeaseExpired unless the lease is open."""
    now_state = state(lease, now=now)
    if now_state is not Lease.State.OPEN:
        raise _FAILURES.get(now_state, LeaseClosed)


def close(*, lease: Lease, actor: Actor, now: datetime) -> Lease:
    """End the lease; no page follows. Closing again changes nothing."""
    with unit_of_work():
        locked = Lease.objects.select_for_update().get(id=lease.id)
        if locked.state == Lease.State.OPEN:
            locked.state, locked.closed_at = Lease.State.CLOSED, now
            told = facts.digest(facts.of_closing(locked))
            event = _record("governance.lease.closed", locked, told, actor=actor, now=now)
            locked.events = [*locked.events, event]
            locked.save(update_fields=["state", "closed_at", "events"])
            idempotency.settle(resource_id=ids.format(PublicId.LEASE, lease.id))
    return locked


def stream(
    *,
    lease: Lease,
    after: str | None,
    split: Split,
    limit: int,
    clock: Clock,
    encoding: Encoding = Lines,
) -> Iterator[bytes]:
    """Pages of records, each with its trailer; the last one says that the stream is whole.

    Each page is sent only while the lease is open. What fails in the midst is noted on the lease
    with the cursor to resume from, and raised, so that the connection is cut.
    Raises LeaseClosed, LeaseExpired, LeaseRevoked, LeaseSuperseded, InvalidCursor, PageTooLate,
    RestoreReplayRequired, CustodianUnavailable, KeyLost, CiphertextTampered.
    """
    _require_still(lease.id, now=clock())
    wanted = _reading(lease, split)
    position = None if after is None else lease_cursor.unseal(after, lease_id=lease.id, split=split)
    encoder, pages = encoding(wanted), lease_pages.reader(wanted)
    cursor, sent = after, 0
    try:
        while True:
            page = lease_pages.read(wanted, encoder, pages, after=position, sent=sent, limit=limit)
            _hand_out(lease, page, now=clock())
            cursor, position = page.cursor, page.last
            sent += page.records
            yield page.body
            if page.is_last:
                return
    except Exception as error:
        code = error.code if isinstance(error, ServiceError) else "internal-error"
        # The database itself may be what failed; the stream is cut all the same.
        with suppress(DatabaseError):
            _note(lease, problem=code, cursor=cursor or "")
        raise
    finally:
        pages.close()


def _require_still(lease_id: UUID, *, now: datetime) -> None:
    """Raise unless the lease is open as it stands now and its version still in force."""
    lease = Lease.objects.get(id=lease_id)
    require_open(lease, now=now)
    in_force = Purpose.objects.filter(
        id=lease.purpose_id, state=Purpose.State.ACTIVE, current=lease.purpose_version_id
    )
    if not in_force.exists():
        raise LeaseSuperseded


# Written out: this is done for every page, and to compose it costs as much as to run it. Without
# the last two columns a resumed lease would look broken.
_PROGRESS = """
UPDATE governance_lease l
SET records_sent = records_sent + %s, bytes_sent = bytes_sent + %s, problem = '', cursor = ''
WHERE l.id = %s AND l.state = 'open' AND l.expires_at > %s AND EXISTS (
  SELECT 1 FROM governance_purpose p
  WHERE p.id = l.purpose_id AND p.state = 'active' AND p.current_id = l.purpose_version_id)
"""


def _hand_out(lease: Lease, page: Opened, *, now: datetime) -> None:
    """Commit who is in the page and how far the stream is, if the lease still allows it."""
    with unit_of_work():
        lease_pages.disclose(lease.id, page, now=now)
        with connection.cursor() as cursor:
            cursor.execute(_PROGRESS, [page.records, len(page.body), lease.id, now])
            is_open = cursor.rowcount == 1
        if not is_open:
            _require_still(lease.id, now=now)
            raise LeaseClosed
    page.require_in_time()


def _reading(lease: Lease, split: Split) -> Reading:
    allowed: dict[str, list[str]] = lease.fields
    codes = categories.codes(controller_id=lease.controller_id)
    return Reading(
        lease_id=lease.id,
        purpose_id=lease.purpose_id,
        wrapping_key=purpose_keys.wrapping_key(lease.purpose_id),
        codes={id_: code for id_, code in codes.items() if id_ in lease.categories},
        fields={
            UUID(id_): None if ALL_FIELDS in names else frozenset(names)
            for id_, names in allowed.items()
        },
        split=split,
    )


def _note(lease: Lease, *, problem: str, cursor: str) -> None:
    Lease.objects.filter(id=lease.id).update(problem=problem, cursor=cursor)


def _record(action: str, lease: Lease, told: str, *, actor: Actor, now: datetime) -> UUID:
    return audit.record(
        action=action,
        actor=actor,
        controller_id=lease.controller_id,
        now=now,
        details={
            "lease": ids.format(PublicId.LEASE, lease.id),
            "purpose": ids.format(PublicId.PURPOSE, lease.purpose_id),
            "categories": [ids.format(PublicId.CATEGORY, id_) for id_ in lease.categories],
            "subjects": lease.counts["subjects"],
            "facts": told,
        },
    )
