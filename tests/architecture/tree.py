"""The project's own files, and the functions in them."""

import ast
import os
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
_NOT_OURS = {".git", ".venv", ".lethe", "node_modules", "__pycache__", "build", "dist"}
_TEXT = {
    "", ".py", ".pyi", ".toml", ".md", ".sh", ".yml", ".yaml", ".json", ".html", ".css", ".js",
    ".go", ".mod", ".hcl", ".sql", ".txt", ".in", ".cfg", ".example", ".sol",
}  # fmt: skip


@cache
def _all() -> tuple[Path, ...]:
    found = []
    for folder, inner, names in os.walk(ROOT):
        inner[:] = sorted(
            name
            for name in inner
            if name not in _NOT_OURS and (not name.startswith(".") or name in {".ci", ".github"})
        )
        found += [Path(folder, name) for name in sorted(names)]
    return tuple(path for path in found if path.suffix in _TEXT)


def files(*suffixes: str) -> Iterator[Path]:
    """Our files with one of the suffixes, without caches and installed packages."""
    return (path for path in _all() if not suffixes or path.suffix in suffixes)


def python() -> Iterator[Path]:
    """Our Python, without generated migrations."""
    return (path for path in files(".py") if "migrations" not in path.parts)


def is_test(path: Path) -> bool:
    """Tests have a budget of their own."""
    return path.relative_to(ROOT).parts[0] == "tests"


@dataclass(frozen=True, slots=True)
class Function:
    """Where a function stands and how many lines it has."""

    path: Path
    name: str
    line: int
    length: int

    def __str__(self) -> str:
        return f"{self.path.relative_to(ROOT)}:{self.line} {self.name} ({self.length} lines)"


def functions() -> Iterator[Function]:
    """Every function and method, decorators not counted."""
    for path in python():
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                length = (node.end_lineno or node.lineno) - node.lineno + 1
                yield Function(path, node.name, node.lineno, length)
