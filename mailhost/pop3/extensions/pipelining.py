"""PIPELINING: commands may be sent without waiting for responses (RFC 2449 section 6.6): what is buffered waits its turn."""

from mailhost.pop3.extensions.extension import Extension

EXTENSION = Extension("PIPELINING", rfc=2449)
