"""Literals: found at the end of a line, and bounded before they are taken into memory (RFC 3501 section 4.3, RFC 7888)."""

import re
from dataclasses import dataclass

from mailhost.conversation.command import SyntaxProblem
from mailhost.imap.values import Literal

LITERAL_OCTETS = 64 << 10
"""All literals of one command together, but for those that stream to disk."""
LITERAL_OCTETS_BEFORE_LOGIN = 8 << 10

_ANNOUNCED = re.compile(rb"\{([0-9]{1,20})(\+?)\}")


def announced(line: bytes) -> tuple[int, Literal] | None:
    """Where `{n}` begins at the end of a line, and what it announces.

    literal = "{" number ["+"] "}" CRLF *CHAR8
    """
    if not line.endswith(b"}"):
        return None
    start = line.rfind(b"{", max(len(line) - 32, 0))
    found = _ANNOUNCED.fullmatch(line, start) if start >= 0 else None
    return (start, Literal(int(found[1]), not found[2])) if found else None


@dataclass(slots=True)
class Allowance:
    """What is left for the arguments of one command."""

    line: int
    literals: int

    def take_line(self, octets: int) -> None:
        self.line -= octets
        if self.line < 0:
            raise SyntaxProblem("The command is too long")

    def take_literal(self, literal: Literal) -> None:
        self.literals -= literal.octets
        if self.literals < 0:
            raise SyntaxProblem("The literal is too large")
