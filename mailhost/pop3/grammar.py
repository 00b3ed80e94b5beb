"""How a command reads: octets to values, and nothing else (RFC 1939 section 9, RFC 2449 section 4)."""

import re
from typing import NewType

from mailhost.conversation.command import SyntaxProblem
from mailhost.conversation.secrets import MASK, mechanism_shown
from mailhost.sasl.mechanism import text

MessageNumber = NewType("MessageNumber", int)
"""A message's place in the maildrop of one session, counted from 1."""

MOST_DIGITS = 10
SECRET = re.compile(rb"(?is)\A\s*(PASS|APOP)(?!\Z).*|\A\s*(AUTH\s+)(\S+)(.*)|\A\s*(USER\s+)(\S+)(.*)")


class Reader:
    """The arguments of one command; each method reads one rule, and raises `SyntaxProblem`."""

    def __init__(self, octets: bytes) -> None:
        self._rest = octets

    def nothing(self) -> None:
        """Command = keyword CRLF; blanks at the end of a line are borne."""
        if self._rest.strip(b" "):
            raise SyntaxProblem("no argument expected")

    def user(self) -> str:
        """User = "USER" SP string; a mailbox name with the blanks around it taken off"""
        self._space()
        name = self._rest.strip(b" ")
        if not name:
            raise SyntaxProblem("a user name expected")
        return text(name)

    def password(self) -> str:
        """Pass = "PASS" SP string; all that follows the one space, blanks included (RFC 1939 section 7)"""
        if not self._rest.startswith(b" "):
            raise SyntaxProblem("a password expected")
        return text(self._rest[1:])

    def message(self) -> MessageNumber:
        """Msg = 1*DIGIT"""
        number = self._number("a message number")
        self.nothing()
        return MessageNumber(number)

    def optional_message(self) -> MessageNumber | None:
        """[SP msg]"""
        return self.message() if self._rest.strip(b" ") else None

    def message_and_lines(self) -> tuple[MessageNumber, int]:
        """Top = "TOP" SP msg SP n; n = 1*DIGIT"""
        number = MessageNumber(self._number("a message number"))
        lines = self._number("a number of lines")
        self.nothing()
        return number, lines

    def authentication(self) -> tuple[str, bytes | None] | None:
        """Auth = "AUTH" [SP sasl-mech [SP initial-response]] (RFC 5034 section 4); without a mechanism, an old way to ask for the list"""
        words = self._rest.split()
        if not words:
            return None
        if len(words) > 2:
            raise SyntaxProblem("a mechanism and an initial response expected")
        return words[0].decode("ascii", "replace"), words[1] if len(words) == 2 else None

    def _number(self, what: str) -> int:
        self._space()
        word, _, rest = self._rest.partition(b" ")
        if not word.isdigit() or len(word) > MOST_DIGITS:
            raise SyntaxProblem(f"{what} expected")
        self._rest = b" " + rest if rest else b""
        return int(word)

    def _space(self) -> None:
        """SP; some clients send several"""
        if not self._rest.startswith(b" "):
            raise SyntaxProblem("an argument expected")
        self._rest = self._rest.lstrip(b" ")


def command(line: bytes) -> tuple[str, Reader]:
    """Command = keyword *(SP param) CRLF; keyword = 3*4VCHAR, in either case"""
    verb, space, rest = line.partition(b" ")
    return verb.decode("ascii", "replace").upper(), Reader(space + rest)


def masked(line: bytes) -> bytes:
    """The line without its secret, for those who look at the wire; also where the command is misspelt or refused."""
    return SECRET.sub(_masked, line)


def _masked(found: re.Match[bytes]) -> bytes:
    """What stands where a mechanism or an address belongs, and is none, may be a password too."""
    secret, auth, mechanism, response, user, name, rest = found.groups(b"")
    if secret:
        return secret + b" " + MASK
    if auth:
        return auth + b" ".join([mechanism_shown(mechanism)] + [MASK] * bool(response.strip()))
    return user + b" ".join([name if b"@" in name else MASK] + [MASK] * bool(rest.strip()))
