"""SPECIAL-USE: what a mailbox is for (RFC 6154 section 2).

Every LIST, LSUB and XLIST tells it, asked or not: Outlook never asks, and makes folders of its own where it hears nothing.
"""

from mailhost.imap.extensions.extension import Extension
from mailhost.imap.extensions.list_extended import Return
from mailhost.imap.grammar import Reader
from mailhost.imap.hierarchy import Name


def attributes(each: Name) -> tuple[str, ...]:
    """use-attr"""
    use = each.mailbox and each.mailbox.special_use
    return (str(use),) if use else ()


def has_a_use(each: Name) -> bool:
    return bool(attributes(each))


def told(_: Reader) -> Return:
    """return-option =/ "SPECIAL-USE";"""
    return Return(attributes)


EXTENSION = Extension(
    "SPECIAL-USE",
    rfc=6154,
    list_attributes=attributes,
    list_selections={b"SPECIAL-USE": has_a_use},
    list_returns={b"SPECIAL-USE": told},
)
