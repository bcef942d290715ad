"""The story in its order; each chapter checks what it says and stops when it is not so."""

import os
from typing import Final

from config.local.demo import data, story_erasure, story_reading, story_registry, story_restore
from config.local.demo.install import CONTROLLER, Install, pairs
from config.local.demo.scene import Scene
from config.local.demo.story_registry import PURPOSE

#: Only so many rows of the table, for tests of the demo itself.
_MOST_ROWS: Final = "LETHE_DEMO_ROWS"


def play(install: Install) -> None:
    """Install and tell it. Raises NotPossible, StoryFailed, SignInFailed, RestError."""
    folder = install.addresses.folder
    scene = install.make()
    most = os.environ.get(_MOST_ROWS)
    health = data.health_table(folder, most=int(most) if most else None)
    scene.page = min(scene.page, health.rows // 5)
    scene.contacts = data.contacts(subjects=data.count_subjects(health))
    story_registry.declare_purpose(scene)
    _open_stream(install, scene)
    story_registry.load_records(scene, health, data.contact_table(folder, scene.contacts))
    story_registry.decide_consents(scene)
    story_reading.read_all(scene, health)
    backup = story_restore.back_up(scene)
    story_reading.withdraw_while_reading(scene)
    story_erasure.erase_somebody(scene)
    story_restore.restore(install, scene, backup)


def _open_stream(install: Install, scene: Scene) -> None:
    """An operator lets the stream process open this purpose, and makes its client."""
    install.attach_stream(PURPOSE)
    install.start("stream")
    printed = install.run(
        ["create_client", "--kind=pipeline", f"--controller={CONTROLLER}",
         f"--scope=purpose:{scene.purpose_id}:read"]
    )  # fmt: skip
    scene.pipeline = install.pipeline(pairs(printed["create_client pipeline"]))
    scene.terminal.say(
        "An operator let the stream process open this purpose and nothing else, and made a "
        "client whose token reads this purpose only."
    )
