"""What the user database refuses."""

from mailhost.database.errors import Refused


class DomainMissing(Refused):
    """This server has no such domain."""


class DomainExists(Refused):
    """This server has the domain already."""


class AccountExists(Refused):
    """There is an account of this address."""


class AccountMissing(Refused):
    """There is no account of this address."""


class LoginRefused(Refused):
    """Wrong user or password: which of the two is not told."""


class AccountDisabled(LoginRefused):
    """The password was right, and the administrator has switched the account off."""


class LoginBusy(Refused):
    """Too many passwords wait to be checked; the client may try again."""
