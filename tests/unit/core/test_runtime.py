import pytest
from django.core.exceptions import ImproperlyConfigured
from pytest_django import Settings

from core import runtime


class TestPort:
    def test_makes_the_bound_implementation_once(self, settings: Settings) -> None:
        settings.LETHE_PORTS = {"made_once": "builtins.object"}
        try:
            assert runtime.port("made_once") is runtime.port("made_once")
        finally:
            runtime._made.pop("made_once")

    def test_refuses_a_name_that_nothing_is_bound_to(self) -> None:
        with pytest.raises(ImproperlyConfigured, match="nowhere"):
            runtime.port("nowhere")


class TestOverride:
    def test_binds_for_the_block_only(self) -> None:
        with runtime.override(mine="fake", participants=["one"]):
            assert runtime.port("mine") == "fake"
            assert runtime.participants() == ["one"]

        with pytest.raises(ImproperlyConfigured):
            runtime.port("mine")
