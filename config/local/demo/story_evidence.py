"""What the erasure leaves to be checked: certificate, bundle, and the person's own receipt."""

import io
import json
import subprocess
import sys
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import requests

from config.local.demo.people import Person
from config.local.demo.scene import Scene, StoryFailed, expect, succeed
from config.local.demo.terminal import wait_for

_PATIENCE: Final = 120.0
_VERIFIER: Final = ("-m", "contracts.verifier")
_OK: Final = 200


def keep_receipt(scene: Scene, subject: str) -> Path:
    """The person is given the receipt of their consent, while they are still here."""
    terminal, source = scene.terminal, scene.source
    given = succeed(source.call("GET", f"/api/v1/subjects/{subject}/consents"))["items"][0]

    def look() -> Mapping[str, Any] | None:
        found = succeed(source.call("GET", f"/api/v1/consents/{given['id']}/receipt"))
        return found if "log" in found else None

    with terminal.busy("They are given the receipt of their consent, once the log has it"):
        document = wait_for(
            look,
            seconds=_PATIENCE,
            otherwise=lambda: StoryFailed("The log does not have the consent."),
        )
    target = scene.installation.addresses.folder / "consent-receipt.json"
    target.write_text(json.dumps(document, indent=2), encoding="utf-8")
    terminal.show("Receipt of their consent", _short(scene, target))
    return target


def certificate(scene: Scene, request: str) -> None:
    """Write the certificate to a file and let the offline verifier read it."""
    terminal, officer = scene.terminal, scene.staff["compliance-officer"]
    terminal.chapter("The certificate")
    chain = scene.installation.chain
    with terminal.busy("The log publishes its next head" + (", a chain keeps it" if chain else "")):
        document = _logged(officer, request, is_anchored=chain is not None)
    addresses = scene.installation.addresses
    target = addresses.folder / "certificate.json"
    target.write_text(json.dumps(document, indent=2), encoding="utf-8")
    keys = _keys(scene)
    for line in _verified(scene, _VERIFIER, target, *_reach(scene, 1), "--keys", str(keys)):
        terminal.say(line)


def bundle(scene: Scene, request: str) -> None:
    """One zip for an authority, checked by the program in it, with nothing of ours."""
    terminal, officer = scene.terminal, scene.staff["compliance-officer"]
    terminal.chapter("The bundle for an authority")

    def look() -> bytes | None:
        answer = officer.get(f"/requests/{request}/bundle")
        expect("the bundle is handed out", is_so=answer.status_code == _OK)
        return answer.content if "events.json" in _names(answer.content) else None

    content = wait_for(
        look,
        seconds=_PATIENCE,
        otherwise=lambda: StoryFailed("The log does not have all of the erasure's events."),
    )
    folder = scene.installation.addresses.folder
    target, program = folder / "bundle.zip", folder / "verify.py"
    target.write_bytes(content)
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        program.write_bytes(archive.read("verify.py"))
    terminal.say(f"In it: {', '.join(_names(content))}.")
    lines = _verified(scene, ("-I", "-S", str(program)), target, *_reach(scene, 3))
    for line in [lines[0], *lines[lines.index("Levels:") :]]:
        terminal.say(line)


def receipt_still_holds(scene: Scene, receipt: Path) -> None:
    """The person's own proof outlives them here: nobody else has what opens the log's entry."""
    terminal = scene.terminal
    terminal.chapter("The person's own receipt")
    lines = _verified(scene, _VERIFIER, receipt, "--level", "1", "--keys", str(_keys(scene)))
    for line in [lines[0], *lines[lines.index("What it states:") :]]:
        terminal.say(line)
    terminal.say("They can still prove their consent; nobody else can link it with the log.")


def _verified(scene: Scene, program: tuple[str, ...], target: Path, *arguments: str) -> list[str]:
    """What the verifier prints about the file. Raises StoryFailed for anything but valid."""
    shown = [
        _short(scene, Path(one)) if one.startswith("/") else one for one in (*program, *arguments)
    ]
    scene.terminal.say(f"$ python {' '.join(shown)} {_short(scene, target)}")
    done = subprocess.run(
        [sys.executable, *program, *arguments, str(target)],
        cwd=scene.installation.addresses.project,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise StoryFailed(f"The verifier ended with {done.returncode}: {done.stdout}{done.stderr}")
    return done.stdout.splitlines()


def _reach(scene: Scene, level: int) -> list[str]:
    """The level to ask for; level 2 of a certificate where there is a chain to ask."""
    chain = scene.installation.chain
    asked = 2 if chain is not None and level == 1 else level
    return ["--level", str(asked), *([] if chain is None else ["--rpc", chain.url])]


def _keys(scene: Scene) -> Path:
    addresses = scene.installation.addresses
    target = addresses.folder / "lethe-keys.json"
    published = requests.get(f"{addresses.url}/.well-known/lethe-keys", timeout=30)
    target.write_bytes(published.content)
    return target


def _logged(officer: Person, request: str, *, is_anchored: bool) -> Mapping[str, Any]:
    """The request's one certificate, once the log has it, and a final block where there is one."""

    def look() -> Mapping[str, Any] | None:
        (item,) = succeed(officer.get(f"/requests/{request}/certificates"))["items"]
        document: Mapping[str, Any] = item["file"]
        if is_anchored and "anchors" not in document.get("log", {}):
            return None
        return document if "log" in document else None

    return wait_for(
        look,
        seconds=_PATIENCE,
        otherwise=lambda: StoryFailed("The log does not have the certificate."),
    )


def _names(content: bytes) -> list[str]:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        return archive.namelist()


def _short(scene: Scene, path: Path) -> str:
    project = scene.installation.addresses.project
    return str(path.relative_to(project)) if path.is_relative_to(project) else str(path)
