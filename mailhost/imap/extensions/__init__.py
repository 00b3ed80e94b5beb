"""The extensions, in the order in which CAPABILITY names them: one file each."""

from mailhost.imap.extensions import (
    children,
    condstore,
    enable,
    idle,
    literal_plus,
    move,
    namespace,
    sasl_ir,
    special_use,
    uidplus,
    unselect,
    utf8_accept,
)
from mailhost.imap.extensions import id as identification
from mailhost.imap.extensions.extension import Extension

EXTENSIONS: tuple[Extension, ...] = (
    literal_plus.EXTENSION,
    sasl_ir.EXTENSION,
    identification.EXTENSION,
    enable.EXTENSION,
    idle.EXTENSION,
    namespace.EXTENSION,
    children.EXTENSION,
    special_use.EXTENSION,
    unselect.EXTENSION,
    uidplus.EXTENSION,
    move.EXTENSION,
    condstore.EXTENSION,
    utf8_accept.EXTENSION,
)
