"""What CAPA announces beyond the login, one file per capability; `EXTENSIONS` is their order."""

from mailhost.pop3.extensions import auth_resp_code, expire, implementation, pipelining, resp_codes, top, uidl, utf8
from mailhost.pop3.extensions.extension import Extension

EXTENSIONS: tuple[Extension, ...] = (
    top.EXTENSION,
    uidl.EXTENSION,
    resp_codes.EXTENSION,
    auth_resp_code.EXTENSION,
    pipelining.EXTENSION,
    expire.EXTENSION,
    utf8.EXTENSION,
    implementation.EXTENSION,
)
