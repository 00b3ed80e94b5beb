"""What the store refuses. One table in each protocol says what the client hears."""

from mailhost.database.errors import Refused


class MailboxMissing(Refused):
    """No such mailbox."""


class TargetMissing(MailboxMissing):
    """The mailbox to put something in does not exist; the client may create it (TRYCREATE)."""


class MailboxExists(Refused):
    """There is a mailbox of this name."""


class MailboxNameInvalid(Refused):
    """Not a name that a mailbox may have."""


class MailboxProtected(Refused):
    """INBOX cannot be deleted; nothing can be its child-to-be and itself."""


class MailboxHasChildren(Refused):
    """A name that cannot be selected is there for those under it: it goes with the last of them."""


class TooManyMailboxes(Refused):
    """The account has as many mailboxes, or subscriptions, as it may have."""


class TooManyKeywords(Refused):
    """The mailbox has all the keywords it can hold."""


class MessageMissing(Refused):
    """A message was expunged meanwhile."""
