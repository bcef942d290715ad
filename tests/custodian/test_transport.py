"""How calls behave when the store does not, on servers that follow a script."""

import socket
import threading
import time
from collections.abc import Callable
from uuid import UUID

import pytest

from tests.custodian.conftest import Script, ScriptedServer
from vault.adapters.hashicorp.client import Client
from vault.adapters.hashicorp.custodian import HashicorpCustodian
from vault.adapters.hashicorp.layout import Layout
from vault.adapters.hashicorp.transport import Transport, read, write
from vault.errors import CustodianRefused, CustodianUnavailable
from vault.ports import ShareRef

Start = Callable[[Script], ScriptedServer]
REF = ShareRef(bytes(16), UUID(int=1))
OK: tuple[int, object] = 200, {"data": {}}


def _once_then(first: tuple[int, object] | None) -> Script:
    answers = iter([first])
    return lambda _method, _path: next(answers, OK)


def _answer_once(server: socket.socket, answer: bytes) -> None:
    connection, _ = server.accept()
    with connection:
        connection.recv(1 << 16)
        connection.sendall(answer)


class TestSend:
    @pytest.mark.parametrize("status", [429, 500, 502, 503, 412])
    def test_repeats_a_read_that_met_trouble(self, scripted: Start, status: int) -> None:
        server = scripted(_once_then((status, {"errors": []})))

        (answer,) = server.client().send([read("x")])

        assert answer.status == 200
        assert len(server.requests) == 2

    def test_repeats_a_read_whose_connection_broke(self, scripted: Start) -> None:
        server = scripted(_once_then(None))

        (answer,) = server.client().send([read("x")])

        assert answer.status == 200

    @pytest.mark.parametrize("status", [429, 500, 503])
    def test_never_repeats_a_write(self, scripted: Start, status: int) -> None:
        server = scripted(_once_then((status, {"errors": []})))

        with pytest.raises(CustodianUnavailable):
            server.client().send([write("x", {})])

        assert len(server.requests) == 1

    @pytest.mark.parametrize("status", [301, 302, 307, 308])
    def test_takes_no_token_to_another_host(self, scripted: Start, status: int) -> None:
        other = scripted(lambda _method, _path: OK)
        server = scripted(lambda _method, _path: (status, {"location": f"{other.address}/v1/x"}))

        with pytest.raises(CustodianUnavailable):
            server.client().send([read("x")])

        assert other.requests == []

    @pytest.mark.parametrize("status", [405, 418, 472, 473, 500, 502, 503, 504])
    def test_calls_what_it_does_not_know_unavailable(self, scripted: Start, status: int) -> None:
        server = scripted(lambda _method, _path: (status, {"errors": ["hvs.scripted"]}))

        with pytest.raises(CustodianUnavailable) as raised:
            server.client().send([read("x")])

        assert raised.value.context["node"] == server.address.removeprefix("http://")
        assert "hvs." not in repr(raised.value)

    def test_gives_up_in_time_and_does_not_try_again(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as silent:
            address = f"http://127.0.0.1:{silent.getsockname()[1]}"
            client = Client(address=address, role_id="r", secret_id="s", timeout=0.2)
            started_at = time.monotonic()

            with pytest.raises(CustodianUnavailable):
                client.send([read("x")])

        assert time.monotonic() - started_at < 2

    @pytest.mark.parametrize(
        "cut",
        [
            b"HTTP/1.1 404 Not Fo",
            b"HTTP/1.1 404 Not Found\r\nCache-Control: no-store\r\n",
            b"HTTP/1.1 200 OK\r\nContent-Length: 12\r\n",
            b"HTTP/1.1 200 OK\r\nContent-Length: 12\r\n\r\n{",
        ],
    )  # fmt: skip
    def test_takes_no_answer_that_was_cut_off_for_one(self, cut: bytes) -> None:
        """A status without what it belongs to: a destroyed share would read as one never made."""
        with socket.create_server(("127.0.0.1", 0)) as server:
            transport = Transport(f"http://127.0.0.1:{server.getsockname()[1]}", timeout=5)
            threading.Thread(target=_answer_once, args=(server, cut), daemon=True).start()

            (answer,) = transport.send([write("x", {})])

        assert answer.status == 0

    def test_calls_a_closed_port_unavailable(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as server:
            port = server.getsockname()[1]
        client = Client(address=f"http://127.0.0.1:{port}", role_id="r", secret_id="s")

        with pytest.raises(CustodianUnavailable):
            client.send([read("x")])

    def test_keeps_order_with_more_requests_than_connections(self, scripted: Start) -> None:
        server = scripted(lambda _method, path: (200, {"data": {"path": path}}))
        paths = [f"n/{number}" for number in range(300)]

        answers = server.client().send([read(path) for path in paths])

        assert [answer.data()["path"] for answer in answers] == paths

    def test_shows_no_credential(self, scripted: Start) -> None:
        client = scripted(lambda _method, _path: OK).client()

        assert "the-secret-id" not in repr(client)
        assert "the-secret-id" not in repr(vars(client))
        assert "hvs." not in repr(client.send([read("x")]))


class TestCustodian:
    def test_takes_a_missing_mount_for_no_missing_share(self, scripted: Start) -> None:
        server = scripted(lambda _m, _p: (404, {"errors": ["no handler for route"]}))

        with pytest.raises(CustodianRefused):
            HashicorpCustodian(server.client(), Layout()).read_destruction([REF])

    def test_takes_no_metadata_without_versions_for_destruction(self, scripted: Start) -> None:
        server = scripted(lambda _m, _p: (200, {"data": {}}))

        with pytest.raises(CustodianRefused):
            HashicorpCustodian(server.client(), Layout()).read_destruction([REF])

    def test_does_not_take_a_lost_answer_for_destruction(self, scripted: Start) -> None:
        metadata = {"data": {"versions": {"1": {"destroyed": False}}}}
        server = scripted(lambda method, _p: (200, metadata) if method == "GET" else None)

        with pytest.raises(CustodianUnavailable):
            HashicorpCustodian(server.client(), Layout()).destroy_shares([REF])

    def test_destroys_again_what_reads_as_destroyed(self, scripted: Start) -> None:
        metadata = {"data": {"versions": {"1": {"destroyed": True}}}}
        server = scripted(lambda _m, _p: (200, metadata))

        HashicorpCustodian(server.client(), Layout()).destroy_shares([REF])

        assert server.requests[-1][1].startswith("lethe-shares/destroy/")
