"""Refusals that several services of governance share."""

from core.errors import NotPermitted


class PersonNeeded(NotPermitted):
    """An act of decision was tried without a person behind it."""

    code = "person-needed"
    text = "This is decided by people: use a person's token or session."


class RoleMissing(NotPermitted):
    """The person holds none of the roles that would do."""

    code = "role-missing"
    text = "None of your roles permits this."


class SeparationOfDuties(NotPermitted):
    """The same person, with whichever account, has acted on this before."""

    code = "separation-of-duties"
    text = "You have acted on this before; another person must take this step."
