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


class AccountLeaving(Refused):
    """The account is being deleted: that has to be finished first."""


class DomainInUse(Refused):
    """The domain has accounts or aliases: how many of each."""


class AliasMissing(Refused):
    """There is no alias of this address, or it has not this target."""


class AliasExists(AccountExists):
    """There is an alias of this address."""


class AliasTaken(Refused):
    """There is an account of this address, and mail for it goes there."""


class TargetUnknown(Refused):
    """An alias would lead to an address that is nobody's, in a domain of this server."""


class AliasLoop(Refused):
    """An alias would lead back to itself."""


class AliasTooDeep(Refused):
    """A chain of aliases would be longer than is followed."""


class TooManyTargets(Refused):
    """A group would have more members than are followed."""


class PostmasterNeeded(Refused):
    """Mail for the postmaster of a domain would be nobody's (RFC 5321 section 4.5.1)."""


class PostmasterItself(PostmasterNeeded):
    """The account has the postmaster's own name: no alias can take its place."""


class NoSuchDomain(DomainMissing):
    """Somebody wants to delete a domain that is not there."""


class LoginRefused(Refused):
    """Wrong user or password: which of the two is not told."""


class AccountDisabled(LoginRefused):
    """The password was right, and the administrator has switched the account off."""


class LoginBusy(Refused):
    """Too many passwords wait to be checked; the client may try again."""
