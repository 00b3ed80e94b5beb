"""What an administrator hears when something cannot be done: in one line what, and the cure."""

from collections.abc import Mapping
from difflib import get_close_matches

from mailhost.database.database import Database
from mailhost.database.errors import Refused
from mailhost.message.address import readable
from mailhost.users import domains
from mailhost.users.errors import (
    AccountExists,
    AccountLeaving,
    AccountMissing,
    AliasExists,
    AliasLoop,
    AliasMissing,
    AliasTaken,
    AliasTooDeep,
    DomainExists,
    DomainInUse,
    DomainMissing,
    NoSuchDomain,
    PostmasterItself,
    PostmasterNeeded,
    TargetUnknown,
    TooManyTargets,
)

SENTENCES: Mapping[type[Refused], str] = {
    AccountExists: "there is such an account already; `mailhost user passwd {0}` sets a new password",
    AccountLeaving: "it is being deleted; `mailhost user delete {0}` finishes that",
    AccountMissing: "{0}: no such account; `mailhost user list` shows all",
    AliasExists: "there is an alias of this name; `mailhost alias delete {0}` makes the name free",
    AliasLoop: "{1} leads back to {0}; `mailhost alias list` shows the way",
    AliasMissing: "{0}: no such alias; `mailhost alias list` shows all",
    AliasTaken: "{0} is an account, and mail for it goes there; choose another name for the alias",
    AliasTooDeep: "{0}: it would be a chain of more than {1} aliases; name the accounts themselves",
    DomainExists: "{0}: there is such a domain already",
    DomainInUse: (
        "{0} has accounts ({1}) or aliases ({2}); delete them first, or take all with --with-accounts (mail is lost)"
    ),
    DomainMissing: "this server has no domain {0}{similar}; `mailhost domain add {0}` adds it",
    NoSuchDomain: "this server has no domain {0}{similar}; `mailhost domain list` shows all",
    PostmasterNeeded: (
        "mail for postmaster@{0} would be nobody's (RFC 5321 section 4.5.1);"
        " first `mailhost alias add postmaster@{0} OTHER@DOMAIN`"
    ),
    PostmasterItself: (
        "it is the postmaster of {0}, whom each domain needs (RFC 5321 section 4.5.1); it goes with the domain only:"
        " `mailhost domain delete {0} --with-accounts`"
    ),
    TargetUnknown: "{0}: no such account or alias; `mailhost user add {0}` adds it",
    TooManyTargets: "a group has {0} members at most; make groups of groups",
}
"""Each with the arguments of its error in the places of the numbers."""
NOBODY = (AccountMissing, AliasMissing)
"""Those that say that nobody has this address."""
TARGET_MISSING = "{0} does not lead to {1}; `mailhost alias list` shows where it leads"
SIMILAR = 0.75
"""From which ratio on two names may be one that was mistyped."""


async def explained(database: Database, refusal: Refused) -> str:
    """The sentence for a refusal; for a domain that is not there with the one that may be meant."""
    similar = ""
    if isinstance(refusal, DomainMissing):
        near = get_close_matches(refusal.args[0], await database.read(domains.list_all), 1, SIMILAR)
        similar = f" (did you mean {readable(near[0])}?)" if near else ""
    return sentence(refusal, similar)


def sentence(refusal: Refused, similar: str = "") -> str:
    known = next((SENTENCES[each] for each in type(refusal).__mro__ if each in SENTENCES), type(refusal).__name__)
    if isinstance(refusal, AliasMissing) and refusal.args[1]:
        known = TARGET_MISSING
    return known.format(*(readable(str(each)) for each in refusal.args), similar=similar)
