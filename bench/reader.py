"""A client of one stream in a process of its own, which costs the server's core nothing.

`python -m bench.reader URL ACCEPT` with the token in BENCH_TOKEN: reads the URL once per line of
standard input and writes one line of JSON each time.
"""

import http.client
import json
import os
import sys
import time
from typing import Any
from urllib.parse import urlsplit

ARROW = "application/vnd.apache.arrow.stream"
_BUFFER = 1 << 20
_TAIL = 400


def main() -> None:
    """Read on demand, each time over a connection of its own."""
    url, accept = urlsplit(sys.argv[1]), sys.argv[2]
    headers = {"Authorization": f"Bearer {os.environ['BENCH_TOKEN']}", "Accept": accept}
    for _ in sys.stdin:
        connection = http.client.HTTPConnection(url.hostname or "", url.port, timeout=900)
        started, cpu = time.perf_counter(), time.process_time()
        connection.request("GET", f"{url.path}?{url.query}", headers=headers)
        answer = connection.getresponse()
        assert answer.status == 200, answer.read()
        records, size = _arrow(answer) if accept == ARROW else _lines(answer)
        connection.close()
        took = {"seconds": time.perf_counter() - started, "cpu": time.process_time() - cpu}
        print(json.dumps({"records": records, "bytes": size} | took), flush=True)


def _lines(answer: http.client.HTTPResponse) -> tuple[int, int]:
    """What the last line says; the lines are received and not parsed."""
    held, last, size = memoryview(bytearray(_BUFFER)), b"", 0
    while count := answer.readinto(held):
        last, size = (last + bytes(held[max(0, count - _TAIL) : count]))[-_TAIL:], size + count
    end = json.loads(last.splitlines()[-1])
    assert end["end"], end
    return end["records"], size


def _arrow(answer: http.client.HTTPResponse) -> tuple[int, int]:
    """Every batch is made ready for use, which for Arrow costs nothing more."""
    import pyarrow as pa

    records, size, ends = 0, 0, False
    source: Any = answer
    for batch, metadata in pa.ipc.open_stream(source).iter_batches_with_custom_metadata():
        records, size = records + batch.num_rows, size + batch.nbytes
        ends = b"lethe.end" in metadata
    assert ends, "the stream was cut"
    answer.read()  # the closing chunk
    return records, size


if __name__ == "__main__":
    main()
