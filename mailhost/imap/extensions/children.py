"""CHILDREN: LIST says whether a mailbox has others under it (RFC 3348)."""

from mailhost.imap.extensions.extension import Extension
from mailhost.imap.hierarchy import Name


def attributes(each: Name) -> tuple[str, ...]:
    return ("\\HasChildren",) if each.has_children else ("\\HasNoChildren",)


EXTENSION = Extension("CHILDREN", rfc=3348, list_attributes=attributes)
