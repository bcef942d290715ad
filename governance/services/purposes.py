"""The registry of purposes: versioned, one lawful basis each, and what each version may read."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from django.db import IntegrityError, connection

from core import audit, effects, idempotency
from core.actors import Actor
from core.errors import Conflict, InvalidInput, NotFound, NotPermitted, ServiceError
from core.ids import PublicId
from core.ids import format as public_id
from core.models import Effect, EffectState
from core.unit_of_work import no_open_transaction, requires_unit_of_work, unit_of_work
from governance.domain.law import LawfulBasis, SpecialCondition
from governance.models import Category, ConsentRecord, Purpose, PurposeVersion
from vault.domain.states import SubjectState
from vault.errors import KeyLost
from vault.models import Removal, Subject
from vault.services import grants, purpose_keys
from vault.services.grants import CategoryRef, Ground, Opening, Withdrawal

ALL_FIELDS = "*"
BATCH = 500
_ACTIVATE = "governance.activate-purpose"
_AGAIN = "governance.ground-again"
#: How long until grants are tried again that a lost key hindered.
_PAUSE = timedelta(hours=1)
#: Words that the key store and the product use themselves.
_RESERVED = ("custody", "lethe", "lookup", "suppression")


class PurposeNotFound(NotFound):
    """No such purpose, or another controller's."""

    code = "purpose-not-found"
    text = "There is no purpose of yours with this id or code."


class PurposeExists(Conflict):
    """The code is taken."""

    code = "purpose-exists"
    text = "A purpose with this code exists already."


class ReservedCode(InvalidInput):
    """The code is one of the product's own words."""

    code = "reserved-code"
    text = "This code is reserved; choose another."


class InvalidVersion(InvalidInput):
    """A version lacks something or names what does not exist; context names the field."""

    code = "invalid-purpose-version"
    text = "This field of the version is missing or does not fit the others."


class PurposeInactive(Conflict):
    """The purpose was never activated, or is retired."""

    code = "purpose-inactive"
    text = "The purpose is not active."


class PurposeActivating(Conflict):
    """A new version still ends what rested on consent to earlier ones."""

    code = "purpose-activating"
    text = "The purpose's new version is being put in force; try again shortly."


class PurposeRetired(Conflict):
    """It ended for good; a purpose that begins anew is another one."""

    code = "purpose-retired"
    text = "The purpose is retired; that cannot be undone."


class NothingToActivate(Conflict):
    """The version was activated before, or never drafted."""

    code = "nothing-to-activate"
    text = "This version was activated already, or there is none with this number."


class VersionSuperseded(Conflict):
    """A later version was drafted than the one that was read; context names it."""

    code = "version-superseded"
    text = "A later version was drafted; read that one and activate it."


class SamePerson(NotPermitted):
    """Who drafted a version may not activate it."""

    code = "separation-of-duties"
    text = "Another person than the drafter activates a version."


@dataclass(frozen=True, slots=True)
class VersionDraft:
    """What a version says. `categories` maps category code to fields, or `["*"]`."""

    lawful_basis: LawfulBasis
    special_condition: SpecialCondition | None
    categories: Mapping[str, Sequence[str]]
    retention_days: int
    dpv_iri: str = ""
    recipients: tuple[str, ...] = ()


def create(*, controller_id: UUID, code: str, name: str, actor: Actor, now: datetime) -> Purpose:
    """Add a purpose without a version. Raises ReservedCode, PurposeExists."""
    if any(code == word or code.startswith(f"{word}-") for word in _RESERVED):
        raise ReservedCode(field="code")
    purpose = Purpose(controller_id=controller_id, code=code, name=name, created_at=now)
    try:
        with unit_of_work():
            purpose.save(force_insert=True)
            _audit("created", purpose, actor=actor, now=now)
            idempotency.settle(resource_id=public_id(PublicId.PURPOSE, purpose.id))
    except IntegrityError as error:
        raise PurposeExists(field="code") from error
    return purpose


def _audit(step: str, purpose: Purpose, *, actor: Actor, now: datetime, version: int = 0) -> None:
    audit.record(
        action=f"governance.purpose.{step}",
        actor=actor,
        controller_id=purpose.controller_id,
        now=now,
        details={"purpose": str(purpose.id), "version": version},
    )


def get(*, controller_id: UUID, purpose_id: UUID) -> Purpose:
    """The purpose. Raises PurposeNotFound, also when not yours."""
    rows = Purpose.objects.select_related("current")
    purpose = rows.filter(id=purpose_id, controller_id=controller_id).first()
    if purpose is None:
        raise PurposeNotFound
    return purpose


def by_code(*, controller_id: UUID, code: str) -> Purpose:
    """The purpose of this code. Raises PurposeNotFound."""
    rows = Purpose.objects.select_related("current")
    purpose = rows.filter(code=code, controller_id=controller_id).first()
    if purpose is None:
        raise PurposeNotFound(field="purpose")
    return purpose


def listed(*, controller_id: UUID, after: UUID | None, limit: int) -> list[Purpose]:
    """A page of purposes, oldest first."""
    rows = Purpose.objects.select_related("current").filter(controller_id=controller_id)
    if after is not None:
        rows = rows.filter(id__gt=after)
    return list(rows.order_by("id")[:limit])


def active_version(*, controller_id: UUID, purpose_id: UUID) -> PurposeVersion:
    """The version in force, to read by. Raises PurposeNotFound, PurposeInactive.

    Raises PurposeActivating until the consents to earlier versions have been ended: they do not
    cover what a new version adds (R03).
    """
    version = in_force(get(controller_id=controller_id, purpose_id=purpose_id))
    if version.lawful_basis == LawfulBasis.CONSENT and version.number > 1:
        batches = Effect.objects.filter(kind=_ACTIVATE, key__startswith=f"{version.id}:")
        if batches.exclude(state=EffectState.DONE).exists():
            raise PurposeActivating
    return version


def in_force(purpose: Purpose) -> PurposeVersion:
    """The purpose's version in force. Raises PurposeInactive."""
    if purpose.state != Purpose.State.ACTIVE or purpose.current is None:
        raise PurposeInactive
    return purpose.current


def readable(version: PurposeVersion) -> dict[UUID, frozenset[str] | None]:
    """Category id to the fields that the version reads; None for all of them."""
    return {
        UUID(category): None if ALL_FIELDS in fields else frozenset(fields)
        for category, fields in version.categories.items()
    }


def draft_version(
    *, controller_id: UUID, purpose_id: UUID, draft: VersionDraft, actor: Actor, now: datetime
) -> PurposeVersion:
    """Add the next version, not yet in force. Raises PurposeNotFound, InvalidVersion."""
    purpose = get(controller_id=controller_id, purpose_id=purpose_id)
    categories = _categories(controller_id, draft)
    with unit_of_work():
        Purpose.objects.select_for_update().get(id=purpose.id)
        number = purpose.versions.count() + 1
        version = PurposeVersion.objects.create(
            purpose=purpose,
            number=number,
            lawful_basis=draft.lawful_basis,
            special_condition=draft.special_condition or "",
            categories=categories,
            retention_days=draft.retention_days,
            dpv_iri=draft.dpv_iri,
            recipients=list(draft.recipients),
            drafted_by=actor.id,
            drafted_by_person=actor.person_id,
            created_at=now,
        )
        _audit("version-drafted", purpose, actor=actor, now=now, version=number)
        idempotency.settle(resource_id=str(number))
    return version


def _categories(controller_id: UUID, draft: VersionDraft) -> dict[str, list[str]]:
    """By category id; a special category needs its condition (Article 9(2))."""
    rows = Category.objects.filter(controller_id=controller_id, code__in=draft.categories)
    found = {row.code: row for row in rows}
    if not draft.categories or set(draft.categories) - found.keys():
        raise InvalidVersion("A category of the version does not exist.", field="categories")
    if not all(draft.categories.values()):
        raise InvalidVersion("Name the fields of each category, or *.", field="categories")
    if any(row.is_special for row in rows) and draft.special_condition is None:
        raise InvalidVersion(
            "A special category needs a condition of Article 9(2).", field="special_condition"
        )
    if draft.retention_days < 1:
        raise InvalidVersion("Retention is at least one day.", field="retention_days")
    return {str(found[code].id): sorted(set(names)) for code, names in draft.categories.items()}


def activate(
    *, controller_id: UUID, purpose_id: UUID, number: int, actor: Actor, now: datetime
) -> PurposeVersion:
    """Put version `number`, the newest, in force; earlier consent does not carry over.

    The number is the one that was read: nobody activates what was drafted meanwhile. For bases
    other than consent existing subjects are given grants in the background. Raises
    PurposeNotFound, PurposeRetired, NothingToActivate, VersionSuperseded, SamePerson,
    PoolExhausted.
    """
    with unit_of_work():
        purpose = (
            Purpose.objects.select_for_update()
            .filter(id=purpose_id, controller_id=controller_id)
            .first()
        )
        if purpose is None:
            raise PurposeNotFound
        if purpose.state == Purpose.State.RETIRED:
            raise PurposeRetired
        version = _to_activate(purpose, number)
        if actor.person_id is not None and actor.person_id == version.drafted_by_person:
            raise SamePerson
        purpose_keys.assign(controller_id=controller_id, purpose_id=purpose.id, now=now)
        version.activated_at, version.activated_by = now, actor.id
        version.save(update_fields=["activated_at", "activated_by"])
        purpose.current, purpose.state = version, Purpose.State.ACTIVE
        purpose.save(update_fields=["current", "state"])
        _audit("activated", purpose, actor=actor, now=now, version=version.number)
        enqueue_batch(version=version, after=None, now=now)
        idempotency.settle(resource_id=str(version.number))
    return version


def _to_activate(purpose: Purpose, number: int) -> PurposeVersion:
    """Version `number` of a locked purpose, if it waits for activation and is the newest."""
    version = purpose.versions.filter(number=number).first()
    if version is None or version.activated_at is not None:
        raise NothingToActivate(field="version")
    newest = purpose.versions.latest("number").number
    if newest != number:
        raise VersionSuperseded(field="version", newest=newest)
    return version


@requires_unit_of_work
def held_in_force(
    versions: Sequence[PurposeVersion | ServiceError],
) -> list[PurposeVersion | ServiceError]:
    """Keep each version in force until commit; one replaced or retired is an error.

    Comes before any subject's lock: an activation or a retirement takes the purpose's row for
    itself, so what is grounded on a version is either committed before it or not at all.
    """
    ids = sorted({v.purpose_id for v in versions if isinstance(v, PurposeVersion)})
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT id, CASE WHEN state = 'active' THEN current_id END"
            " FROM governance_purpose WHERE id = ANY(%s) ORDER BY id FOR SHARE",
            [ids],
        )
        current = dict(cursor.fetchall())
    return [
        version
        if isinstance(version, ServiceError) or current[version.purpose_id] == version.id
        else (PurposeActivating() if current[version.purpose_id] else PurposeInactive())
        for version in versions
    ]


@requires_unit_of_work
def enqueue_batch(*, version: PurposeVersion, after: UUID | None, now: datetime) -> None:
    """Ask for the next batch of subjects to be brought to a version that was activated."""
    effects.enqueue(
        kind=_ACTIVATE,
        key=f"{version.id}:{after or 'first'}",
        payload={"version_id": str(version.id), "after": str(after or "")},
        now=now,
    )


@no_open_transaction
def activate_batch(*, version_id: UUID, after: UUID | None, now: datetime) -> UUID | None:
    """Bring up to 500 subjects after `after` to the version; the last one, or None at the end.

    With consent as basis this ends what an earlier version was allowed to read, since consent
    does not carry over; with another basis it makes grants. Raises CustodianUnavailable.
    """
    version = PurposeVersion.objects.select_related("purpose").get(id=version_id)
    purpose = version.purpose
    if purpose.current_id != version.id:
        return None
    rows = Subject.objects.filter(
        controller_id=purpose.controller_id, state=SubjectState.LIVE, id__gt=after or UUID(int=0),
        trail_id__isnull=False, evidence_public__isnull=False,
    )  # fmt: skip
    ids = list(rows.order_by("id").values_list("id", flat=True)[:BATCH])
    if version.lawful_basis == LawfulBasis.CONSENT:
        _end_older_grounds(version, ids, now=now)
    else:
        _ground(version, ids, now=now)
    return ids[-1] if len(ids) == BATCH else None


def _end_older_grounds(version: PurposeVersion, subjects: Sequence[UUID], *, now: datetime) -> None:
    """Withdraw grounds that rest on consent to another version than this one."""
    with unit_of_work():
        owners = grants.lock_subjects(subjects)
        live = [subject for subject in subjects if isinstance(owners[subject], UUID)]
        held = grants.current_grounds((subject, version.purpose_id) for subject in live)
        resting = set(
            ConsentRecord.objects.filter(
                id__any=[ground.ground for ground in held.values()], purpose_version=version
            ).values_list("id", flat=True)
        )
        older = [
            Withdrawal(ground.subject_id, ground.purpose_id, now)
            for ground in held.values()
            if ground.ground not in resting
        ]
        grants.withdraw_many(withdrawals=older, reason=Removal.Reason.WITHDRAWN, now=now)


@no_open_transaction
def ground_new_subjects(*, controller_id: UUID, subject_ids: Sequence[UUID], now: datetime) -> None:
    """Let active purposes that need no consent read these subjects. Raises CustodianUnavailable."""
    if not subject_ids:
        return
    purposes = Purpose.objects.select_related("current").filter(
        controller_id=controller_id, state=Purpose.State.ACTIVE
    )
    for purpose in purposes.exclude(current__lawful_basis=LawfulBasis.CONSENT):
        _ground(in_force(purpose), list(subject_ids), now=now)


@no_open_transaction
def ground_again(*, version_id: UUID, first: UUID, last: UUID, now: datetime) -> None:
    """Make the grants of subjects between these ids that a lost key hindered.

    Raises KeyLost while one still does, CustodianUnavailable.
    """
    version = PurposeVersion.objects.select_related("purpose").get(id=version_id)
    if version.purpose.current_id == version.id:
        rows = Subject.objects.filter(
            controller_id=version.purpose.controller_id, state=SubjectState.LIVE,
            id__range=(first, last), trail_id__isnull=False, evidence_public__isnull=False,
        )  # fmt: skip
        _open_and_issue(version, list(rows.values_list("id", flat=True)), now=now)


def _ground(version: PurposeVersion, subjects: Sequence[UUID], *, now: datetime) -> None:
    """As `_open_and_issue`; those whose key is lost are tried again later."""
    try:
        _open_and_issue(version, subjects, now=now)
    except KeyLost:
        named = {"first": str(min(subjects)), "last": str(max(subjects))}
        with unit_of_work():
            effects.enqueue(
                kind=_AGAIN,
                key=f"{version.id}:{named['first']}:{now.isoformat()}",
                payload={"version_id": str(version.id), **named},
                now=now,
                not_before=now + _PAUSE,
            )


def _open_and_issue(version: PurposeVersion, subjects: Sequence[UUID], *, now: datetime) -> None:
    """Open the version itself as ground for each subject, then make the grants."""
    openings = [
        Opening(subject_id, version.purpose_id, version.id, now) for subject_id in set(subjects)
    ]
    with unit_of_work():
        if isinstance(held_in_force([version])[0], ServiceError):
            return
        opened = grants.open_grounds(openings=openings, now=now)
    grounds = [ground for ground in opened if isinstance(ground, Ground)]
    grants.issue(grounds=grounds, categories=category_refs(version), now=now)


def category_refs(version: PurposeVersion) -> list[CategoryRef]:
    """The version's categories as vault knows them: id and key group."""
    rows = Category.objects.filter(id__in=[UUID(text) for text in version.categories])
    return [CategoryRef(row.id, row.key_group) for row in rows]
