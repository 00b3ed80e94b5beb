"""AUTHENTICATE: log in by a SASL mechanism (RFC 3501 section 6.2.2; with an initial response: RFC 4959)."""

from dataclasses import dataclass

from mailhost.conversation.command import Command, SyntaxProblem
from mailhost.conversation.login import LONGEST_RESPONSE, authenticate
from mailhost.conversation.secrets import MASK
from mailhost.imap.commands.login import logged_in
from mailhost.imap.grammar import Reader
from mailhost.imap.responses import Status
from mailhost.imap.session import IMAPSession
from mailhost.imap.values import NOT_AUTHENTICATED
from mailhost.sasl.mechanism import SASLAborted, SASLProblem
from mailhost.transport.channel import LineTooLong


@dataclass(frozen=True, slots=True)
class Authenticate:
    mechanism: str
    initial: bytes | None

    def __repr__(self) -> str:
        return f"Authenticate({self.mechanism!r}, ***)"


def parse(reader: Reader) -> Authenticate:
    """Authenticate = "AUTHENTICATE" SP auth-type [SP (base64 / "=")]"""
    reader.space()
    mechanism = reader.atom().decode()
    initial = None
    if not reader.at_end():
        reader.space()
        initial = reader.base64()
    reader.end()
    return Authenticate(mechanism, initial)


async def run(session: IMAPSession, request: Authenticate) -> Status:
    if request.initial is not None and not session.dialect.initial_response:
        raise SyntaxProblem("SASL-IR is not spoken here")

    async def challenge(prompt: bytes) -> bytes:
        await session.prompt(b"+ %b\r\n" % prompt)
        try:
            response = await session.channel.read_line(LONGEST_RESPONSE)
        except LineTooLong:
            session.heard(MASK, cut=True)
            raise SASLProblem("the response is too long") from None
        session.heard(MASK)
        return response

    try:
        return logged_in(session, await authenticate(session, request.mechanism, request.initial, challenge))
    except SASLAborted:
        raise SyntaxProblem("AUTHENTICATE was given up") from None
    except SASLProblem as problem:
        raise SyntaxProblem(str(problem)) from None


COMMAND: Command[IMAPSession, Reader, Status] = Command("AUTHENTICATE", NOT_AUTHENTICATED, parse, run, rfc=3501)
