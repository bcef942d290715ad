"""Failures of making and changing controllers, staff and clients."""

from core.errors import Conflict, InvalidInput, NotFound


class ControllerNotFound(NotFound):
    """No controller has this id or slug."""

    code = "controller-not-found"
    text = "There is no controller with this name."


class ControllerExists(Conflict):
    """The slug is taken."""

    code = "controller-exists"
    text = "A controller with this slug exists."


class StaffNotFound(NotFound):
    """No member of staff has this id."""

    code = "staff-not-found"
    text = "There is no member of staff with this id."


class EmailTaken(Conflict):
    """The address already signs in."""

    code = "email-taken"
    text = "An account with this e-mail address exists."


class UnknownRole(InvalidInput):
    """A role that the product does not have."""

    code = "unknown-role"
    text = "This role does not exist."


class WeakPassword(InvalidInput):
    """The password breaks the rules."""

    code = "weak-password"
    text = "The password is too weak."


class ClientNotFound(NotFound):
    """No client has this id, or it is another controller's."""

    code = "client-not-found"
    text = "There is no API client of yours with this id."
