"""SASL-IR: AUTHENTICATE with an initial response (RFC 4959). The base command reads it."""

from mailhost.imap.extensions.extension import Extension

EXTENSION = Extension("SASL-IR", rfc=4959, initial_response=True)
