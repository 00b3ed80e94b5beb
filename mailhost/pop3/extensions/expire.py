"""EXPIRE NEVER: what is left on the server stays there (RFC 2449 section 6.7)."""

from mailhost.pop3.extensions.extension import Extension

EXTENSION = Extension("EXPIRE", rfc=2449, arguments="NEVER")
