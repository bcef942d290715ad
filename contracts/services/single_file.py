"""The offline verifier as one file, for those who have nothing but Python."""

from functools import cache
from importlib import resources
from typing import Final

_PACKAGES: Final = ("contracts", "contracts.verifier")
_HEAD: Final = '''\
#!/usr/bin/env python3
"""Check a certificate, receipt or evidence bundle of Lethe offline: python3 verify.py FILE

Needs Python 3.9 or newer and nothing else. Below are the modules of the verifier, word for word;
whoever doubts this copy takes them from the source. Apache License 2.0.
"""

import importlib.abc
import importlib.util
import sys

SOURCES = {}

'''
_TAIL: Final = '''\

PACKAGES = {packages!r}


class Modules(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Finds the modules above, and no others."""

    def find_spec(self, name, path=None, target=None):
        if name not in SOURCES:
            return None
        return importlib.util.spec_from_loader(name, self, is_package=name in PACKAGES)

    def exec_module(self, module):
        code = compile(SOURCES[module.__name__], "verify.py: " + module.__name__, "exec")
        exec(code, module.__dict__)


sys.meta_path.insert(0, Modules())

from contracts.verifier.__main__ import main  # noqa: E402

if __name__ == "__main__":
    sys.exit(main())
'''


@cache
def verifier() -> str:
    """The text of `verify.py`, the same every time. Raises ValueError if it cannot be made."""
    parts = [f'SOURCES["{name}"] = ""\n' for name in _PACKAGES[:1]]
    folder = resources.files("contracts.verifier")
    names = sorted(one.name for one in folder.iterdir() if one.name.endswith(".py"))
    for name in names:
        text = folder.joinpath(name).read_text(encoding="utf-8")
        if "'''" in text or (text and not text.endswith("\n")):
            raise ValueError(f"{name} cannot stand in a literal")
        module = f"contracts.verifier.{name.removesuffix('.py')}"
        if name == "__init__.py":
            module = "contracts.verifier"
        parts.append(f"\nSOURCES[\"{module}\"] = r'''\n{text}'''\n")
    return _HEAD + "".join(parts) + _TAIL.format(packages=_PACKAGES)
