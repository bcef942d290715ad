"""System checks: what would otherwise fail in the middle of an irreversible act fails at start."""

from collections.abc import Sequence
from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, register
from django.utils.module_loading import import_string


@register()
def effect_handlers(**_options: Any) -> Sequence[CheckMessage]:
    """Every kind in LETHE_EFFECTS names a handler that can be imported."""
    problems: list[CheckMessage] = []
    for kind, (path, _queue) in settings.LETHE_EFFECTS.items():
        try:
            import_string(path)
        except ImportError:
            problems.append(
                Error(
                    f"The handler of effect {kind} cannot be imported: {path}.",
                    hint="Mend LETHE_EFFECTS in the settings.",
                    id="core.E001",
                )
            )
    return problems
