"""Names of mailboxes, as they are kept: one spelling for each, and nothing in them that nobody sees. Pure."""

import unicodedata

from mailhost.store.errors import MailboxNameInvalid

INBOX = "INBOX"
SEPARATOR = "/"
JOINERS = "\u200c\u200d"
"""Zero-width joiners and non-joiners: format characters that Persian, Indic scripts and emoji are written with."""
LONGEST_NAME = 1000
DEEPEST_NAME = 50


def canonical(name: str) -> str:
    """`inbox` in any case is INBOX, and so is it as the root of a path."""
    root, separator, rest = name.partition(SEPARATOR)
    return INBOX + separator + rest if root.isascii() and root.upper() == INBOX else name


def composed(name: str) -> str:
    """One spelling for what looks the same: NFC, as text on the net has it (RFC 5198 section 3)."""
    is_name = len(name) <= LONGEST_NAME and not name.isascii()  # a longer one is nobody's, and could take a second
    return unicodedata.normalize("NFC", name) if is_name else name


def valid(name: str) -> str:
    """The name as it is kept. Raises `MailboxNameInvalid`: empty parts, what is not seen or turns the text round, too long, too deep."""
    name = composed(name)
    parts = name.split(SEPARATOR)
    if not all(parts) or len(parts) > DEEPEST_NAME or len(name.encode("utf-8", "surrogatepass")) > LONGEST_NAME:
        raise MailboxNameInvalid
    if any(ord(c) < 0x20 or 0x7F <= ord(c) < 0xA0 or 0xD800 <= ord(c) < 0xE000 or c in "*%\u2028\u2029" for c in name):
        raise MailboxNameInvalid
    if any(unicodedata.category(c) == "Cf" and c not in JOINERS for c in name):
        raise MailboxNameInvalid
    if any(part in (".", "..") or part.startswith("~") for part in parts):
        raise MailboxNameInvalid
    return canonical(name)
