"""CHILDREN: LIST says whether a mailbox has others under it (RFC 3348). The base command tells it."""

from mailhost.imap.extensions.extension import Extension

EXTENSION = Extension("CHILDREN", rfc=3348)
