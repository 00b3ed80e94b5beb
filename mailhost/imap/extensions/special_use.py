"""SPECIAL-USE: LIST says which mailbox is for what (RFC 6154 section 2). The base command tells it."""

from mailhost.imap.extensions.extension import Extension

EXTENSION = Extension("SPECIAL-USE", rfc=6154)
