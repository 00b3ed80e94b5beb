"""VRFY and EXPN: who has an account here is nobody's business (RFC 5321 sections 3.5 and 7.3)."""

from dataclasses import dataclass

from mailhost.conversation.command import SyntaxProblem
from mailhost.smtp import replies
from mailhost.smtp.grammar import Reader
from mailhost.smtp.replies import Reply
from mailhost.smtp.session import ANYWHERE, SMTPCommand, SMTPSession

SMTPUTF8 = b"SMTPUTF8"


@dataclass(frozen=True, slots=True)
class Question:
    who: bytes
    smtputf8: bool
    """Whether the client can read UTF-8 in the answer (RFC 6531 section 3.7.4.2)."""


def verify(reader: Reader) -> Question:
    """Vrfy = "VRFY" SP String [SP "SMTPUTF8"] CRLF"""
    return _question(reader)


def expand(reader: Reader) -> Question:
    """Expn = "EXPN" SP String [SP "SMTPUTF8"] CRLF"""
    return _question(reader)


def _question(reader: Reader) -> Question:
    words = reader.rest().split()
    smtputf8 = len(words) > 1 and words[-1].upper() == SMTPUTF8
    if not words:
        raise SyntaxProblem("a name or an address is expected")
    return Question(b" ".join(words[:-1] if smtputf8 else words), smtputf8)


async def vrfy(session: SMTPSession, question: Question) -> Reply:
    """The same answer whoever is asked for."""
    return _problem(session, question) or replies.VRFY_UNSURE


async def expn(session: SMTPSession, question: Question) -> Reply:
    return _problem(session, question) or replies.EXPN_DISABLED


def _problem(session: SMTPSession, question: Question) -> Reply | None:
    if question.smtputf8 and "SMTPUTF8" not in session.dialect.mail:
        return replies.UNKNOWN_PARAMETER
    if not question.who.isascii() and not question.smtputf8:
        return replies.SMTPUTF8_WANTED
    return None


VRFY = SMTPCommand("VRFY", ANYWHERE, verify, vrfy, rfc=5321)
EXPN = SMTPCommand("EXPN", ANYWHERE, expand, expn, rfc=5321)
