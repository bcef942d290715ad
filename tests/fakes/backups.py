"""An inventory of backups that tests write: `settings.LETHE_BACKUPS_ATTESTED` names `attested`."""

from datetime import datetime

PATH = "tests.fakes.backups.attested"
#: When the newest attested backup of each store began.
newest: dict[str, datetime] = {}


def attested(*, store: str, after: datetime) -> bool:
    """Whether the newest attested backup of the store began after that time."""
    return store in newest and newest[store] > after
