"""AUTH-RESP-CODE: [AUTH] means that the password is wrong, [SYS/TEMP] that it may be right (RFC 3206)."""

from mailhost.pop3.extensions.extension import Extension

EXTENSION = Extension("AUTH-RESP-CODE", rfc=3206)
