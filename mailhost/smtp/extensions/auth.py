"""AUTH: who submits is known (RFC 4954); on submission listeners only."""

from dataclasses import dataclass

from mailhost.conversation.login import LONGEST_RESPONSE, MechanismUnknown, authenticate, mechanisms
from mailhost.sasl.mechanism import SASLAborted, SASLProblem
from mailhost.smtp import replies
from mailhost.smtp.envelope import Envelope
from mailhost.smtp.extensions.extension import Extension
from mailhost.smtp.grammar import Reader, is_xtext
from mailhost.smtp.replies import Reply, reply
from mailhost.smtp.session import LineProblem, SMTPCommand, SMTPSession, State
from mailhost.transport.channel import LineTooLong


@dataclass(frozen=True, slots=True)
class Auth:
    mechanism: str
    initial: bytes | None


def parse(reader: Reader) -> Auth:
    """Auth = "AUTH" SP sasl-mech [SP initial-response] CRLF"""
    mechanism = reader.word().decode("ascii", "replace")
    initial = reader.optional_word()
    reader.end()
    return Auth(mechanism, initial)


async def run(session: SMTPSession, request: Auth) -> Reply:
    if not session.settings.submission:
        return replies.NOT_IMPLEMENTED.saying("No authentication on this port: it belongs to the submission ports")
    if session.login is not None:
        return replies.ALREADY_LOGGED_IN

    async def challenge(prompt: bytes) -> bytes:
        return await session.ask(reply(334, "", prompt.decode()), LONGEST_RESPONSE)

    try:
        session.login = await authenticate(session, request.mechanism, request.initial, challenge)
    except MechanismUnknown:
        return replies.UNKNOWN_MECHANISM
    except SASLAborted:
        return replies.LOGIN_ABORTED
    except SASLProblem as problem:
        return replies.BAD_BASE64.saying(f"Cannot read the response: {problem}")
    except LineTooLong:
        raise LineProblem(replies.RESPONSE_TOO_LONG) from None
    return replies.LOGGED_IN


def announced(session: SMTPSession) -> tuple[str, ...]:
    """Once more with "=", and LOGIN right behind it, as old Outlook reads it."""
    names = mechanisms(session) if session.settings.submission else []
    twin = sorted(names, key=lambda name: name != "LOGIN")
    return (f"AUTH {' '.join(names)}", f"AUTH={' '.join(twin)}") if names else ()


def auth(session: SMTPSession, envelope: Envelope, value: str) -> Reply | None:  # noqa: ARG001 - the signature of a parameter
    """MAIL's AUTH= parameter, an address in xtext or <>: read, and not trusted (RFC 4954 section 5)."""
    return None if is_xtext(value) else replies.BAD_ARGUMENTS.saying("AUTH is an address in xtext, or <>")


EXTENSION = Extension(
    "AUTH",
    4954,
    announced,
    commands=(SMTPCommand("AUTH", frozenset({State.READY}), parse, run, rfc=4954),),
    mail={"AUTH": auth},
)
