"""The extensions, in the order in which EHLO announces them: a table of contents."""

from mailhost.smtp.extensions import (
    auth,
    binarymime,
    chunking,
    deliverby,
    dsn,
    eightbitmime,
    enhancedstatuscodes,
    futurerelease,
    limits,
    mt_priority,
    pipelining,
    size,
    smtputf8,
    starttls,
)
from mailhost.smtp.extensions.extension import Extension

MESSAGE = (size, eightbitmime, smtputf8, chunking, binarymime, dsn, limits, futurerelease, deliverby, mt_priority)
"""What a message may be and bring along."""

EXTENSIONS: tuple[Extension, ...] = tuple(
    each.EXTENSION for each in (pipelining, *MESSAGE, enhancedstatuscodes, starttls, auth)
)
