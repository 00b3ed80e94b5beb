"""LITERAL+: literals that are not asked for (RFC 7888). The session reads them; their bounds are the same."""

from mailhost.imap.extensions.extension import Extension

EXTENSION = Extension("LITERAL+", rfc=7888, non_synchronizing=True)
