"""LIST-STATUS: LIST tells the STATUS of each mailbox as well (RFC 5819)."""

from mailhost.imap.commands import status
from mailhost.imap.extensions.extension import Extension
from mailhost.imap.extensions.list_extended import Return
from mailhost.imap.grammar import Reader
from mailhost.imap.hierarchy import Name
from mailhost.imap.session import IMAPSession


def told(reader: Reader) -> Return:
    """status-option = "STATUS" SP "(" status-att *(SP status-att) ")";"""
    reader.space()
    items = status.read_items(reader)

    async def after(session: IMAPSession, each: Name) -> bytes:
        """Not of names that cannot be selected (RFC 5819 section 2)."""
        return await status.line(session, each.mailbox, items) if each.mailbox else b""

    return Return(after=after)


EXTENSION = Extension("LIST-STATUS", rfc=5819, needs=frozenset({"LIST-EXTENDED"}), list_returns={b"STATUS": told})
