"""Setting a chain up and looking at it, by the commands, as their operator does."""

import io
import stat
from collections.abc import Iterator
from pathlib import Path
from threading import Event

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.core.management import CommandError, call_command
from pytest_django import Settings
from web3 import Web3
from web3.types import RPCEndpoint

from accounts.services import staff
from contracts.adapters import anchor_threads, chains, checks
from contracts.models import ChainAnchor, ChainContract
from contracts.services import anchoring, halts, sequencing
from core import clock, runtime
from core.actors import process_actor
from tests.chain.bed import COLD, PASSWORD, keystore
from tests.fakes.custodian import FakeSigner
from tests.fakes.heads import FakeHeadKeeper
from tests.servers import anvil

pytestmark = [pytest.mark.chain, pytest.mark.long, pytest.mark.django_db(transaction=True)]
OPERATOR = "una@clinic.example"


@pytest.fixture
def node(tmp_path: Path, settings: Settings, transactional_db: None) -> Iterator[Web3]:
    """A chain that mines by itself, and the configuration that names it."""
    staff.create(
        email=OPERATOR, password=None, roles=["operator"], controller_id=None,
        actor=process_actor("command"), now=clock.now(),
    )  # fmt: skip
    with anvil.running() as made:
        provider = made.provider
        assert isinstance(provider, Web3.HTTPProvider)
        (tmp_path / "password").write_text(PASSWORD)
        (tmp_path / "password").chmod(0o600)
        chains_file = tmp_path / "chains.toml"
        chains_file.write_text(
            f"[chain.c1]\nrpc = ['{provider.endpoint_uri}']\nchain-id = 31337\n"
            f"finality = 'instant'\nmax-fee-gwei = 100\n"
            f"keystore = '{tmp_path / 'sender.json'}'\npassword-file = '{tmp_path / 'password'}'\n"
        )
        settings.LETHE_CHAINS, settings.LETHE_PROCESS = str(chains_file), "loggerd"
        held = {"signer": FakeSigner("loggerd"), "head_keeper": FakeHeadKeeper()}
        with runtime.override(**held):
            yield made  # chains and senders are made anew, from the configuration, in each test


def run(name: str, *arguments: object) -> str:
    out = io.StringIO()
    call_command(name, *map(str, arguments), stdout=out)
    return out.getvalue()


def fund(node: Web3, address: str, wei: int) -> None:
    node.provider.make_request(RPCEndpoint("anvil_setBalance"), [address, hex(wei)])


def set_up(node: Web3, folder: Path) -> str:
    """As docs/anchoring.md says; the sender's address."""
    file = folder / "sender.json"
    said = run("chain_keystore", file, "--password-file", folder / "password")
    address = said.splitlines()[0]
    fund(node, address, 10**18)
    said = run(
        "chain_deploy", "--chain", "c1", "--keystore", keystore(folder, COLD),
        "--password-file", folder / "password", "--operator", OPERATOR,
    )  # fmt: skip
    assert ChainContract.objects.get().address in said
    return address


class TestChainCommands:
    def test_set_a_chain_up_from_nothing(self, node: Web3, tmp_path: Path) -> None:
        address = set_up(node, tmp_path)
        sequencing.run_round(now=clock.now())

        anchoring.run_round("c1", now=clock.now(), with_log=True)
        anchoring.run_round("c1", now=clock.now())
        anchoring.run_round("c1", now=clock.now())

        said = run("chain_status")
        assert ChainAnchor.objects.get().state == "final"
        assert "64 of 64 entries final" in said
        assert address.lower() in said.lower()
        assert PASSWORD not in said

    def test_make_a_keystore_that_only_its_owner_reads_and_never_twice(
        self, node: Web3, tmp_path: Path
    ) -> None:
        file = tmp_path / "new.json"
        run("chain_keystore", file, "--password-file", tmp_path / "password")
        before = file.read_bytes()

        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        with pytest.raises(CommandError, match="never overwritten"):
            run("chain_keystore", file, "--password-file", tmp_path / "password")
        assert file.read_bytes() == before

    def test_say_what_waits_for_an_operator(self, node: Web3, tmp_path: Path) -> None:
        address = set_up(node, tmp_path)
        fund(node, address, 1)
        sequencing.run_round(now=clock.now())
        anchoring.run_round("c1", now=clock.now(), with_log=True)

        with pytest.raises(CommandError, match="waits for an operator"):
            run("chain_status")

    def test_refuse_to_go_on_where_nothing_is_halted(self, node: Web3, tmp_path: Path) -> None:
        set_up(node, tmp_path)

        with pytest.raises(CommandError, match="nothing-halted"):
            run("chain_resume", "--chain", "c1", "--operator", OPERATOR)

    def test_say_it_when_no_contract_is_there(self, node: Web3, tmp_path: Path) -> None:
        run("chain_keystore", tmp_path / "sender.json", "--password-file", tmp_path / "password")

        assert "run chain_deploy" in run("chain_status")


class TestDoctor:
    def test_says_what_is_missing_and_how_to_mend_it(self, node: Web3, tmp_path: Path) -> None:
        (missing,) = [one for one in checks.findings() if not one.is_right]
        assert "chain_deploy" in missing.remedy

        set_up(node, tmp_path)
        assert all(one.is_right for one in checks.findings())

        halts.halt("c1", halts.CHANGED, now=clock.now())
        (halted,) = [one for one in checks.findings() if not one.is_right]
        assert "chain_resume" in halted.remedy

    def test_names_the_entry_that_cannot_be_read(self, node: Web3, settings: Settings) -> None:
        Path(settings.LETHE_CHAINS).write_text("[chain.c1]\nrpc = []\n")

        (wrong,) = checks.findings()

        assert "rpc lists the nodes' addresses" in wrong.remedy

    def test_says_nothing_where_no_chain_is_configured(self, settings: Settings) -> None:
        settings.LETHE_CHAINS = ""

        assert checks.findings() == []


class TestSenders:
    def test_are_opened_by_the_logs_process_alone(
        self, node: Web3, tmp_path: Path, settings: Settings
    ) -> None:
        set_up(node, tmp_path)
        assert set(chains.senders()) == {"c1"}

        for process in ("web", "stream", "worker", "eraser", "attester", "beat", "command"):
            settings.LETHE_PROCESS = process
            with pytest.raises(ImproperlyConfigured, match="loggerd"):
                chains.senders()

    @pytest.mark.parametrize("name", ["sender.json", "password"])
    def test_refuse_files_that_others_may_read(self, node: Web3, tmp_path: Path, name: str) -> None:
        set_up(node, tmp_path)
        (tmp_path / name).chmod(0o644)

        with pytest.raises(ImproperlyConfigured, match="chmod 600"):
            chains.senders()

    def test_end_the_start_with_a_wrong_password(self, node: Web3, tmp_path: Path) -> None:
        set_up(node, tmp_path)
        (tmp_path / "password").write_text("another")

        with pytest.raises(ImproperlyConfigured, match="cannot be opened"):
            anchor_threads.start_all(Event())
