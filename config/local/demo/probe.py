"""Opens subjects with the product's own code, to show what an old database dump still yields.

The product refuses on a restored copy: its gate is closed. Whoever holds the copy can write any
row of it, so the gate is then opened by hand, and the keys alone decide.

Usage: `python -m config.local.demo.probe CONTROLLER SUBJECT…` with the environment of a process
that holds custody rights, and DATABASE_URL at the restored copy. Prints one JSON object:
`refused` with the code that the closed gate answers, `subjects` with what opens of each.
"""

import json
import os
import sys
from uuid import UUID


def main() -> None:
    """Print the gate's answer, then per subject how many records opened or why they did not."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    import django

    django.setup()
    from core import clock, ids
    from core.errors import ServiceError
    from core.ids import PublicId
    from core.unit_of_work import unit_of_work
    from vault.domain.gate import Reason
    from vault.models import SealedRecord
    from vault.services import gate, reading, subjects

    controller_id, names = UUID(sys.argv[1]), sys.argv[2:]
    refused = ""
    try:
        gate.require_open()
    except ServiceError as error:
        refused = error.code
    with unit_of_work():
        gate.write(Reason.IN_STEP, server=gate.identity(), now=clock.now())
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
    sys.stdout.write("\n" + json.dumps({"refused": refused, "subjects": found}) + "\n")


if __name__ == "__main__":
    main()
