"""Check a certificate, receipt or evidence bundle offline: `python -m contracts.verifier FILE`.

Needs Python 3.9 and nothing else; reads the files named and asks no network, except the node that
--rpc names. Exit status: 0 valid, 2 unreadable, of another format, or wrong usage; else by the
lowest level that fails, or is asked for and not shown: 1, 11, 12, 13 for levels 0, 1, 2, 3.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any, List, Optional, Union

from contracts.verifier import bundle, documents, words
from contracts.verifier.bundle import Bundle
from contracts.verifier.report import ANCHORED, FAILS, HOLDS, UNREADABLE, Report

_LIMIT = 16 << 20
_STATUS = {0: 1, 1: 11, 2: 12, 3: 13}
_UNREADABLE = 2


def main(arguments: Optional[List[str]] = None) -> int:
    """Print the verdict and return the exit status."""
    options = _parser().parse_args(arguments)
    try:
        content = _read(options.file)
        keys = None if options.keys is None else _read(options.keys)
    except (OSError, ValueError):
        report: Union[Report, Bundle] = Report()
        report.unreadable = "a file cannot be opened or is larger than 16 MiB"
    else:
        examine: Any = bundle.examine if content[:2] == b"PK" else documents.examine
        report = examine(content, keys)
        report.believe({one.lower().replace("0x", "", 1) for one in options.block_hash})
        if options.rpc is not None:
            report.ask(options.rpc)
        if options.stamps is not None:
            _write_stamps(report, options.stamps)
    short = _short(report, options.level)
    if options.json:
        told = {**words.as_object(report), "asked_and_not_shown": short}
        _print(json.dumps(told, indent=2, sort_keys=True))
    else:
        _print(words.as_text(report))
        for level in short:
            _print("\nLevel %d was asked for and is not shown." % level)
    return _status(report, short)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m contracts.verifier",
        description="Check a certificate, receipt or evidence bundle offline.",
        epilog="Exit status: 0 valid; 2 unreadable or of another format; else by the lowest level "
        "that fails, or is asked for and not shown: 1, 11, 12, 13 for levels 0 to 3.",
    )
    parser.add_argument("file", help="the document or bundle, - for standard input")
    parser.add_argument("--keys", help="the published /.well-known/lethe-keys document")
    parser.add_argument(
        "--level", type=int, choices=[0, 1, 2, 3], default=0,
        help="what it must show, with all below: 1, the log has it; 3, the log's events tell the "
        "same; 2, a chain has a head with it (with --rpc or --block-hash; 3 does not ask for it)",
    )  # fmt: skip
    parser.add_argument("--rpc", metavar="URL", help="ask this node whether its chain has them")
    parser.add_argument(
        "--block-hash", metavar="HEX", action="append", default=[],
        help="a block's hash from a source of your own; may be repeated",
    )  # fmt: skip
    parser.add_argument(
        "--stamps", metavar="FOLDER",
        help="write timestamp tokens and what they are over there, for openssl to verify",
    )  # fmt: skip
    parser.add_argument("--json", action="store_true", help="print a machine verdict")
    return parser


def _write_stamps(report: Union[Report, Bundle], folder: str) -> None:
    """Two files for each token, and the command that verifies it, on standard error."""
    reports = [one for _, one in report.documents] if isinstance(report, Bundle) else [report]
    held = [stamp for one in reports if one.level for stamp in one.stamps]
    for number, stamp in enumerate(held, start=1):
        token, text = (Path(folder) / ("stamp-%d.%s" % (number, end)) for end in ("der", "txt"))
        token.write_bytes(stamp.token)
        text.write_bytes(stamp.entry.text.encode("utf-8"))
        said = "openssl ts -verify -token_in -in %s -data %s -CAfile ROOTS.pem"
        print(said % (token, text), file=sys.stderr)


def _short(report: Union[Report, Bundle], asked: int) -> List[int]:
    """The levels that were asked for and do not hold, though nothing contradicts them."""
    if report.verdict == UNREADABLE:
        return []
    wanted = [level for level in range(asked + 1) if level != ANCHORED or asked == ANCHORED]
    return [level for level in wanted if report.levels[level] not in (HOLDS, FAILS)]


def _status(report: Union[Report, Bundle], short: List[int]) -> int:
    if report.verdict == UNREADABLE:
        return _UNREADABLE
    failing = [level for level, state in report.levels.items() if state == FAILS]
    return _STATUS[min(failing + short)] if failing or short else 0


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
