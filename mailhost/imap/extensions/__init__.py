"""The extensions, in the order in which CAPABILITY names them: one file each."""

from mailhost.imap.extensions import (
    appendlimit,
    children,
    condstore,
    enable,
    esearch,
    idle,
    list_extended,
    list_status,
    literal_plus,
    move,
    namespace,
    sasl_ir,
    special_use,
    status_size,
    uidplus,
    unselect,
    utf8_accept,
    xlist,
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
    xlist.EXTENSION,
    list_extended.EXTENSION,
    list_status.EXTENSION,
    status_size.EXTENSION,
    appendlimit.EXTENSION,
    unselect.EXTENSION,
    uidplus.EXTENSION,
    move.EXTENSION,
    esearch.EXTENSION,
    condstore.EXTENSION,
    utf8_accept.EXTENSION,
)
