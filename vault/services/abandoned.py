"""Subjects that never came to be: their shares are destroyed as those of any erasure are.

A creation that broke off, or lost a race for a reference, leaves a subject without an evidence
key and without references. Nobody can name it and it counts as nobody, but its share may live in
the key store, and no share stays alive without somebody to ask for its destruction.
"""

from datetime import datetime, timedelta
from uuid import UUID

from django.db.models import QuerySet

from core import ids
from core.actors import process_actor
from core.unit_of_work import unit_of_work
from vault.domain.states import SubjectState
from vault.errors import RestoreReplayRequired, ShredBlocked
from vault.models import Subject
from vault.services import gate, shredding

WORKER = process_actor("worker")
#: No creation takes as long; one that does finds its subject fenced and fails.
AGE = timedelta(days=1)
BATCH = 1000


def purge(*, now: datetime) -> int:
    """Fence what was abandoned a day ago, each as an erasure without a request; how many.

    Eraser and attester do the rest. What a lock covers is left for a later run, and so is all
    while the gate is closed: a restored database may not know what came to be.
    """
    fenced, after = 0, UUID(int=0)
    while True:
        rows = _abandoned(now).filter(id__gt=after).order_by("id")
        subject_ids = list(rows.values_list("id", flat=True)[:BATCH])
        fenced += sum(_fence(subject_id, now=now) for subject_id in subject_ids)
        if len(subject_ids) < BATCH:
            return fenced
        after = subject_ids[-1]


def _abandoned(now: datetime) -> QuerySet[Subject]:
    return Subject.objects.filter(
        state=SubjectState.LIVE,
        evidence_public=None,
        lookuptag=None,
        created_at__lte=now - AGE,
    )


def _fence(subject_id: UUID, *, now: datetime) -> bool:
    try:
        with unit_of_work():
            gate.require_open()
            # Locked as it still is: a creation that ends just now is left alone.
            row = _abandoned(now).filter(id=subject_id).select_for_update(of=("self",)).first()
            if row is None:
                return False
            shredding.fence(
                subject_id=subject_id,
                erasure_id=ids.new_random(),
                actor=WORKER,
                open_leases=0,
                now=now,
            )
    except (ShredBlocked, RestoreReplayRequired):
        return False
    return True
