"""IMPLEMENTATION: the server's name, without a version to look up weaknesses by (RFC 2449 section 6.9)."""

from mailhost.pop3.extensions.extension import Extension

EXTENSION = Extension("IMPLEMENTATION", rfc=2449, arguments="mailhost")
