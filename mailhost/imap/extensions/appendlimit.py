"""APPENDLIMIT: how large a message APPEND takes (RFC 7889). One limit for all mailboxes, known before the login."""

from mailhost.imap.extensions.extension import Extension
from mailhost.imap.session import IMAPSession
from mailhost.store.values import Mailbox


def limit(session: IMAPSession, _: Mailbox | None = None) -> int:
    """What TOOBIG is decided by."""
    return session.services.limits.message_octets


def says(session: IMAPSession) -> str:
    return f"APPENDLIMIT={limit(session)}"


EXTENSION = Extension("APPENDLIMIT", rfc=7889, says=says, status_items={b"APPENDLIMIT": limit})
