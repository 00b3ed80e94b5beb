"""STATUS=SIZE: the octets of all messages of a mailbox (RFC 8438)."""

from mailhost.imap.extensions.extension import Extension
from mailhost.imap.session import IMAPSession
from mailhost.store.values import Mailbox


def size(_: IMAPSession, found: Mailbox) -> int:
    """Never less than the sum of RFC822.SIZE (RFC 8438 section 2)."""
    return found.octets


EXTENSION = Extension("STATUS=SIZE", rfc=8438, status_items={b"SIZE": size})
