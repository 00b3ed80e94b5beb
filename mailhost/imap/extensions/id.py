"""ID: who is speaking; for the log of either side (RFC 2971)."""

from mailhost import __version__
from mailhost.conversation.command import Command, SyntaxProblem
from mailhost.events.event import CLIENT_ID
from mailhost.imap.extensions.extension import Extension
from mailhost.imap.grammar import Reader
from mailhost.imap.responses import Status, ok, untagged
from mailhost.imap.session import IMAPSession
from mailhost.imap.values import ANY_STATE

MOST_FIELDS = 30
LONGEST_NAME, LONGEST_VALUE = 30, 1024


def parse(reader: Reader) -> list[bytes | None]:
    """Id = "ID" SP ("(" [string SP nstring *(SP string SP nstring)] ")" / nil)"""
    reader.space()
    words: list[bytes | None] = []
    if not reader.accept_word(b"NIL"):
        words = reader.parenthesised(reader.nil_or_string, most=2 * MOST_FIELDS)
    reader.end()
    names, values = words[::2], words[1::2]
    if len(names) != len(values) or None in names:
        raise SyntaxProblem("ID takes names with their values")
    if any(len(each or b"") > LONGEST_NAME for each in names) or any(
        len(each or b"") > LONGEST_VALUE for each in values
    ):
        raise SyntaxProblem("A field of ID is too long")
    return words


async def run(session: IMAPSession, words: list[bytes | None]) -> Status:
    """What the client says of itself goes to the log."""
    said = [(word or b"").decode("utf-8", "replace") for word in words]
    session.publish(CLIENT_ID, data={"said": dict(zip(said[::2], said[1::2], strict=True))})
    session.write(untagged(b"ID", b'("name" "mailhost" "version" "%b")' % __version__.encode()))
    return ok("ID completed")


EXTENSION = Extension("ID", rfc=2971, commands=(Command("ID", ANY_STATE, parse, run, rfc=2971),))
