"""Check an erasure certificate offline: `python -m contracts.verifier FILE`.

Needs Python 3.9 and nothing else; reads two files and asks no network, except the node that --rpc
names. Exit status: 0 valid, 1 invalid, 2 unreadable, not a certificate, or wrong usage.
"""

from __future__ import annotations

import argparse
import json
import sys

from contracts.verifier import certificate, words

_LIMIT = 16 << 20
_SHORT = (
    "the file holds no proof that the log has it",
    "no node was asked, with --rpc, for an anchor that the file names",
)
_STATUS = {certificate.VALID: 0, certificate.INVALID: 1, certificate.UNREADABLE: 2}


def main(arguments: list[str] | None = None) -> int:
    """Print the verdict and return the exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m contracts.verifier",
        description="Check an erasure certificate offline.",
        epilog="Exit status: 0 valid, 1 invalid, 2 unreadable or not a certificate.",
    )
    parser.add_argument("file", help="certificate file, - for standard input")
    parser.add_argument("--keys", help="the published /.well-known/lethe-keys document")
    parser.add_argument(
        "--level", type=int, choices=[0, 1, 2], default=0,
        help="what it must reach: 1, the log has it; 2, a chain has a head with it (with --rpc)",
    )  # fmt: skip
    parser.add_argument("--rpc", metavar="URL", help="ask this node whether its chain has them")
    parser.add_argument("--json", action="store_true", help="print a machine verdict")
    options = parser.parse_args(arguments)
    try:
        content = _read(options.file)
        keys = None if options.keys is None else _read(options.keys)
    except (OSError, ValueError):
        report = certificate.Report()
        report.unreadable = "a file cannot be opened or is larger than 16 MiB"
    else:
        report = certificate.examine(content, keys)
        if options.rpc is not None:
            report.confirm(options.rpc)
        if report.level is not None and report.level < options.level:
            report.check("level", [_SHORT[report.level]])
    if options.json:
        _print(json.dumps(words.as_object(report), indent=2, sort_keys=True))
    else:
        _print(words.as_text(report))
    return _STATUS[report.verdict]


def _read(name: str) -> bytes:
    if name == "-":
        content = sys.stdin.buffer.read(_LIMIT + 1)
    else:
        with open(name, "rb") as file:  # noqa: PTH123  plain open reads pipes and files alike
            content = file.read(_LIMIT + 1)
    if len(content) > _LIMIT:
        raise ValueError("too large")
    return content


def _print(text: str) -> None:
    try:
        print(text, flush=True)
    except BrokenPipeError:
        sys.stderr.close()  # the reader went away; the exit status still tells


if __name__ == "__main__":
    sys.exit(main())
