"""The hourly task deletes what is past its time in every room that names a function."""

from datetime import timedelta
from uuid import uuid4

import pytest

from core import clock, tasks
from vault.models import SuppressionTag


@pytest.mark.django_db
class TestPurge:
    def test_deletes_suppression_tags_past_their_time_and_no_others(self) -> None:
        now = clock.now()
        for days in (-1, 1):
            SuppressionTag.objects.create(
                controller_id=uuid4(),
                kind="email",
                tag=b"t",
                source_id=uuid4(),
                erasure_id=uuid4(),
                expires_at=now + timedelta(days=days),
            )

        tasks.purge()

        assert SuppressionTag.objects.get().expires_at > now
