"""The cast of the API suites, and ways to act as each role of the database."""

from tests.functional.api.conftest import cast, clinic, insurer, study

__all__ = ["cast", "clinic", "insurer", "study"]
