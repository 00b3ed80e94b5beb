"""XLIST: LIST with what mailboxes are for, as Gmail had it before RFC 6154; Outlook and Foxmail ask so.

Its answers are those of LIST, and a few attributes of its own. An empty pattern asks for the separator here too.
"""

from collections.abc import Mapping

from mailhost.conversation.command import Command
from mailhost.imap.commands.list import Lookup, parse, tell_all
from mailhost.imap.extensions.extension import Extension
from mailhost.imap.grammar import Reader
from mailhost.imap.hierarchy import Name
from mailhost.imap.responses import Status
from mailhost.imap.session import IMAPSession
from mailhost.imap.values import LOGGED_IN
from mailhost.store.names import INBOX
from mailhost.store.values import SpecialUse

USES: Mapping[SpecialUse | None, tuple[str, ...]] = {
    SpecialUse.SENT: ("\\Sent",),
    SpecialUse.DRAFTS: ("\\Drafts",),
    SpecialUse.TRASH: ("\\Trash",),
    SpecialUse.JUNK: ("\\Spam",),
}
"""Its words. It has none for an archive: \\AllMail would be every message there is."""


def attributes(each: Name) -> tuple[str, ...]:
    if each.name == INBOX:
        return ("\\Inbox",)
    return USES.get(each.mailbox.special_use, ()) if each.mailbox else ()


async def run(session: IMAPSession, request: Lookup) -> Status:
    return await tell_all(session, "XLIST", request, attributes)


COMMAND: Command[IMAPSession, Reader, Status] = Command("XLIST", LOGGED_IN, parse, run, rfc=6154)
EXTENSION = Extension("XLIST", rfc=6154, commands=(COMMAND,))
"""No RFC is its own; RFC 6154 has taken its place."""
