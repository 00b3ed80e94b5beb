"""ENHANCEDSTATUSCODES: each reply after EHLO tells its reason in digits (RFC 2034); `replies` has them."""

from mailhost.smtp.extensions.extension import Extension, always

EXTENSION = Extension("ENHANCEDSTATUSCODES", 2034, always("ENHANCEDSTATUSCODES"), codes=True)
