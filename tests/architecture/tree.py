"""The project's own files, and the functions in them."""

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
_NOT_OURS = {".git", ".venv", ".lethe", "node_modules", "__pycache__", "build", "dist"}
_TEXT = {
    "", ".py", ".pyi", ".toml", ".md", ".sh", ".yml", ".yaml", ".json", ".html", ".css", ".js",
    ".go", ".mod", ".hcl", ".sql", ".txt", ".in", ".cfg", ".example", ".sol",
}  # fmt: skip


def files(*suffixes: str) -> Iterator[Path]:
    """Our files with one of the suffixes, without caches and installed packages."""
    for path in sorted(ROOT.rglob("*")):
        parts = path.relative_to(ROOT).parts
        hidden = any(part.startswith(".") and part not in {".ci", ".github"} for part in parts[:-1])
        if hidden or _NOT_OURS & set(parts) or not path.is_file() or path.suffix not in _TEXT:
            continue
        if not suffixes or path.suffix in suffixes:
            yield path


def python() -> Iterator[Path]:
    """Our Python, without generated migrations."""
    return (path for path in files(".py") if "migrations" not in path.parts)


def is_test(path: Path) -> bool:
    """Tests have budgets of their own."""
    return path.relative_to(ROOT).parts[0] in {"tests", "bench"}


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
