"""After the restore: the log does not sign a second history; an operator founds the next one."""

from typing import Final

import requests

from config.local.addresses import NotPossible
from config.local.demo.chain import NAME
from config.local.demo.install import STAFF, Install
from config.local.demo.scene import Scene, StoryFailed, expect
from config.local.demo.terminal import wait_for

_TIMEOUT: Final = 30
_PATIENCE: Final = 60.0
_OK, _GONE = 200, 410


def wait_for_head(scene: Scene, *, path: str = "") -> str:
    """The newest checkpoint that the log has published."""

    def look() -> str | None:
        url = f"{scene.installation.addresses.url}/log/{path}checkpoint"
        answer = requests.get(url, timeout=_TIMEOUT)
        return answer.text if answer.status_code == _OK else None

    return wait_for(
        look, seconds=_PATIENCE, otherwise=lambda: StoryFailed("The log published no head.")
    )


def go_on(install: Install, scene: Scene) -> None:
    """What the log's process says after the restore, and what an operator does."""
    terminal = scene.terminal
    terminal.chapter("The log")
    terminal.say(
        "Every event has left a commitment in a log that anybody can follow under /log. Since the "
        "backup it has published heads that the restored database has forgotten."
    )
    terminal.say("$ LETHE_PROCESS=loggerd manage.py found_log")
    said = install.manage("loggerd", "found_log")
    for line in said:
        terminal.say(f"  {line}")
    expect("the log knows that it was put back", is_so=said[0].startswith("database-behind"))
    terminal.say("It signs nothing: two histories under one name would prove neither.")
    operator = STAFF["key-custodian"]
    terminal.say(f"$ LETHE_PROCESS=loggerd manage.py found_log --operator {operator}")
    for line in install.manage("loggerd", "found_log", f"--operator={operator}"):
        terminal.say(f"  {line}")
    head = wait_for_head(scene, path="1/")
    old = requests.get(f"{scene.installation.addresses.url}/log/checkpoint", timeout=_TIMEOUT)
    expect("the log of before is ended", is_so=old.status_code == _GONE)
    origin, size, root = head.splitlines()[:3]
    terminal.show("Newest head", f"{origin}, {size} entries, root {root}")
    with terminal.busy("$ manage.py fsck_log, which computes all of it again"):
        checked = install.manage("command", "fsck_log")
    terminal.say(checked[-1])
    if scene.installation.chain is not None:
        _resume(install, scene)


def _resume(install: Install, scene: Scene) -> None:
    """The chain remembers what the restored database does not: somebody has to look."""
    operator = STAFF["key-custodian"]
    scene.terminal.say(
        "The chain has transactions that the restored database knows nothing of, so nothing more "
        "is anchored there until an operator has looked:"
    )
    scene.terminal.say(f"$ manage.py chain_resume --chain {NAME} --operator {operator}")

    def look() -> list[str] | None:
        try:
            return install.manage(
                "loggerd", "chain_resume", f"--chain={NAME}", f"--operator={operator}"
            )
        except NotPossible as error:
            if "nothing-halted" in str(error):
                return None
            raise

    said = wait_for(
        look, seconds=_PATIENCE, otherwise=lambda: StoryFailed("The chain was not halted.")
    )
    expect("the sender's key was ahead", is_so=said[-1].endswith("after sender-ahead."))
    scene.terminal.say(f"  {said[-1]}")
