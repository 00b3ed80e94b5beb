"""The extensions, in the order in which EHLO announces them: a table of contents."""

from mailhost.smtp.extensions import auth, eightbitmime, enhancedstatuscodes, pipelining, size, starttls
from mailhost.smtp.extensions.extension import Extension

EXTENSIONS: tuple[Extension, ...] = tuple(
    each.EXTENSION for each in (pipelining, size, eightbitmime, enhancedstatuscodes, starttls, auth)
)
