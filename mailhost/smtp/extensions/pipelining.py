"""PIPELINING: several commands in one packet (RFC 2920). The channel answers them in one packet too."""

from mailhost.smtp.extensions.extension import Extension, always

EXTENSION = Extension("PIPELINING", 2920, always("PIPELINING"))
