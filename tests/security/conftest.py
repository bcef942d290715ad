"""The cast of the API suites, and the small world of the vault suites."""

from tests.functional.api.conftest import cast, clinic, insurer, study
from tests.integration.vault.conftest import world

__all__ = ["cast", "clinic", "insurer", "study", "world"]
