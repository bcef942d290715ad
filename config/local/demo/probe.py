"""Opens subjects with the product's own code, to show what an old database dump still yields.

Usage: `python -m config.local.demo.probe CONTROLLER SUBJECT…` with the environment of a process
that holds custody rights, and DATABASE_URL at the restored copy. Prints one JSON object.
"""

import json
import os
import sys
from uuid import UUID


def main() -> None:
    """Print per subject how many records opened, or the code of the failure."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    import django

    django.setup()
    from core import ids
    from core.errors import ServiceError
    from core.ids import PublicId
    from vault.models import SealedRecord
    from vault.services import reading, subjects

    controller_id, names = UUID(sys.argv[1]), sys.argv[2:]
    found: dict[str, dict[str, object]] = {}
    for name in names:
        subject_id = ids.parse(PublicId.SUBJECT, name)
        subjects.require_live(controller_id=controller_id, subject_id=subject_id)
        rows = SealedRecord.objects.filter(subject_id=subject_id).count()
        try:
            opened = reading.custody_read(controller_id=controller_id, subject_id=subject_id)
            found[name] = {"rows": rows, "opened": len(opened)}
        except ServiceError as error:
            found[name] = {"rows": rows, "opened": 0, "code": error.code}
    sys.stdout.write("\n" + json.dumps(found) + "\n")


if __name__ == "__main__":
    main()
