"""`make demo`: install on this machine, play the story, stay up until Ctrl-C."""

import contextlib
import fcntl
import os
import shutil
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Final

from rich.console import Console

from config.local import postgres
from config.local.addresses import Addresses, NotPossible
from config.local.demo import key_store, story
from config.local.demo.install import Install
from config.local.demo.people import SignInFailed
from config.local.demo.scene import StoryFailed
from config.local.demo.terminal import Terminal
from config.local.supervisor import Supervisor
from governance.management.importing.rest import RestError

_STOPPED: Final = 130


def main() -> int:
    """The exit status: 0 after the story, 1 when it could not be told, 130 after Ctrl-C."""
    signal.signal(signal.SIGTERM, _interrupt)
    signal.signal(signal.SIGHUP, _interrupt)
    terminal = Terminal(Console(highlight=False))
    try:
        with ExitStack() as running:
            _play(terminal, running)
    except (NotPossible, StoryFailed, SignInFailed, RestError) as error:
        terminal.warn(str(error))
        return 1
    except KeyboardInterrupt:
        terminal.console.print("Stopped.")
        return _STOPPED
    finally:
        terminal.console.show_cursor()  # a progress bar that was cut short has hidden it
    return 0


def _play(terminal: Terminal, running: ExitStack) -> None:
    addresses = Addresses.from_environment()
    addresses.require_free_ports()
    running.enter_context(_alone(addresses.folder))
    terminal.console.print("[bold]Lethe[/bold]: a vault for personal data that can forget.")
    terminal.say(f"Everything of this demo is under {addresses.folder}, and made anew each time.")
    with terminal.busy("PostgreSQL, on a socket of its own"):
        server = _fresh_postgres(addresses.folder)
    store = running.enter_context(key_store.chosen(addresses))
    terminal.show("Key store", store.described)
    if not store.is_real:
        terminal.warn(
            "This is a stand-in: keys in a file can be copied, so nothing is proven by erasing "
            "them. For a real Vault: make vaultd (needs Go), or set LETHE_VAULT_ADDR."
        )
    supervisor = Supervisor(
        addresses.folder / "logs",
        on_death=lambda name, status, log: terminal.warn(
            f"The process {name} ended with status {status}; see {log}"
        ),
    )
    running.callback(supervisor.stop)
    install = Install(terminal, addresses, server, store, supervisor)
    story.play(install)
    _stay(terminal, install)


def _stay(terminal: Terminal, install: Install) -> None:
    """Print addresses and sign-ins; wait for Ctrl-C unless LETHE_DEMO_EXIT is set."""
    terminal.console.print()
    terminal.console.print("[bold]Look around[/bold]")
    terminal.show("Sign in", f"{install.addresses.url}/accounts/login/")
    for email, password in install.passwords.items():
        terminal.show(email, password)
    terminal.show("REST API", f"{install.addresses.url}/api/schema")
    terminal.show("Streams", install.addresses.stream_url)
    terminal.show("Log of commitments", f"{install.addresses.url}/log/")
    terminal.show("Logs", install.addresses.folder / "logs")
    terminal.show("Certificate", install.addresses.folder / "certificate.json")
    if os.environ.get("LETHE_DEMO_EXIT") == "1":
        return
    with contextlib.suppress(KeyboardInterrupt):
        terminal.console.print("\nEverything stays up. Ctrl-C stops it all.")
        threading.Event().wait()
    terminal.console.print("Stopping.")


@contextlib.contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Hold the folder for this demo only. Raises NotPossible when another one runs in it."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    with folder.with_name(folder.name + ".lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise NotPossible(
                f"A demo is already running in {folder}. Stop it, or set LETHE_DEMO_DIR."
            ) from None
        yield


def _fresh_postgres(folder: Path) -> postgres.EmbeddedPostgres:
    """Throw the last demo away and start anew; a server left over on the folder is ended."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(mode=0o700)
    server = postgres.start(folder / "postgres")
    postgres.create_database(server, "lethe")
    return server


def _interrupt(*_: Any) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())
