"""Management commands for the demo: many in one process, since each start costs a second.

As a module of its own it reads `[[command, argument, …], …]` from standard input and answers
with the list of what each printed.
"""

import io
import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence

from config.local.addresses import NotPossible


def run(
    commands: Sequence[Sequence[str]], *, environment: Mapping[str, str], directory: str
) -> list[str]:
    """What each of `manage.py <command>` printed. Raises NotPossible with the last error line."""
    done = subprocess.run(
        [sys.executable, "-m", "config.local.demo.commands"],
        input=json.dumps([list(command) for command in commands]),
        cwd=directory,
        env=dict(environment),
        capture_output=True,
        text=True,
        check=False,
        start_new_session=True,
    )
    if done.returncode != 0:
        last = (done.stderr.strip().splitlines() or ["no error was printed"])[-1]
        raise NotPossible(f"Set-up stopped: {last}")
    printed: list[str] = json.loads(done.stdout.splitlines()[-1])
    return printed


def main() -> None:
    """Run the commands of standard input, in order."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    import django
    from django.core.management import CommandError, call_command

    django.setup()
    printed = []
    for name, *arguments in json.load(sys.stdin):
        output = io.StringIO()
        try:
            call_command(name, *arguments, stdout=output)
        except CommandError as error:
            sys.exit(f"{name}: {error}")
        printed.append(output.getvalue())
    sys.stdout.write("\n" + json.dumps(printed) + "\n")


if __name__ == "__main__":
    main()
