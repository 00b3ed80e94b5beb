"""RESP-CODES: text in brackets after +OK or -ERR is a response code (RFC 2449 section 6.4); `responses` has them all."""

from mailhost.pop3.extensions.extension import Extension

EXTENSION = Extension("RESP-CODES", rfc=2449)
