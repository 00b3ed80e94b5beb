"""What the client hears when the store, or the login, says no; and the last words of the server."""

from collections.abc import Mapping

from mailhost.conversation.login import MechanismUnknown, PlaintextForbidden
from mailhost.database.errors import Refused
from mailhost.imap.responses import (
    ALREADYEXISTS,
    AUTHENTICATIONFAILED,
    CANNOT,
    EXPUNGEISSUED,
    LIMIT,
    NONEXISTENT,
    PRIVACYREQUIRED,
    TRYCREATE,
    UNAVAILABLE,
    Status,
    bye,
    no,
)
from mailhost.store.errors import (
    MailboxExists,
    MailboxHasChildren,
    MailboxMissing,
    MailboxNameInvalid,
    MailboxProtected,
    MessageMissing,
    TargetMissing,
    TooManyKeywords,
    TooManyMailboxes,
)
from mailhost.users.errors import AccountDisabled, AccountMissing, LoginBusy, LoginRefused

WRONG_LOGIN = "Wrong user or password; the user is the full address"
"""For known and unknown users alike: a hint for its owner, none for a stranger."""

REFUSALS: Mapping[type[Refused], Status] = {
    MailboxMissing: no("No such mailbox", NONEXISTENT),
    TargetMissing: no("No such mailbox yet", TRYCREATE),
    MailboxExists: no("There is a mailbox of this name", ALREADYEXISTS),
    MailboxNameInvalid: no("Not a name that a mailbox may have", CANNOT),
    MailboxProtected: no("That cannot be done with this mailbox", CANNOT),
    MailboxHasChildren: no("The mailbox has others under it", CANNOT),
    TooManyKeywords: no("The mailbox has all the keywords that it can hold", LIMIT),
    TooManyMailboxes: no("The account has as many mailboxes as it may have", LIMIT),
    MessageMissing: no("Some of the messages were expunged meanwhile", EXPUNGEISSUED),
    AccountMissing: no("The account is no more", UNAVAILABLE),
    LoginRefused: no(WRONG_LOGIN, AUTHENTICATIONFAILED),
    AccountDisabled: no(WRONG_LOGIN, AUTHENTICATIONFAILED),
    LoginBusy: no("Too many logins at this moment, try again", UNAVAILABLE),
    PlaintextForbidden: no("Passwords are taken under TLS only", PRIVACYREQUIRED),
    MechanismUnknown: no("No such mechanism; with SPA, switch it off in the client", CANNOT),
}
"""What the client hears when an operation says no; a class without a row of its own goes by its base."""

FAREWELLS: Mapping[str, Status] = {
    "timeout": bye("Silent for too long", UNAVAILABLE),
    "errors": bye("Too many mistakes"),
    "shutdown": bye("The server is going down", UNAVAILABLE),
    "account": bye("Your account was changed, log in again"),
}

TOO_MANY_CONNECTIONS = bye("Too many connections", UNAVAILABLE).line()
