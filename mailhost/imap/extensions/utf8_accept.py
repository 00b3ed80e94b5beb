"""UTF8=ACCEPT: once it is enabled, mailbox names and header fields are UTF-8 (RFC 6855). Who does not enable it gets surrogates.

RFC 9755, which takes its place, has no more of its APPEND; both ways are understood here. Its SEARCH takes no CHARSET.
"""

from mailhost.imap.extensions.extension import Extension
from mailhost.imap.grammar import Reader
from mailhost.imap.session import IMAPSession
from mailhost.imap.values import MessageData
from mailhost.message.form import Form


def enable(session: IMAPSession) -> None:
    session.takes |= Form.UTF8


def utf8_data(reader: Reader) -> MessageData:
    """append-data-ext = "UTF8" SP "(" literal8 ")"; literal8 = "~{" number ["+"] "}" CRLF *OCTET (RFC 6855 section 4)"""
    reader.expect(b"(", "a parenthesis")
    reader.expect(b"~", "a literal8")
    return MessageData(reader.last_literal(), closing=b")", utf8=True)


EXTENSION = Extension(
    "UTF8=ACCEPT", rfc=6855, needs=frozenset({"ENABLE"}), enable=enable, append_data={b"UTF8": utf8_data}
)
