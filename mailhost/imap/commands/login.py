"""LOGIN: user and password (RFC 3501 section 6.2.3)."""

from dataclasses import dataclass

from mailhost.conversation.command import Command
from mailhost.conversation.login import log_in, need_tls
from mailhost.imap.grammar import Reader
from mailhost.imap.responses import Status, ok
from mailhost.imap.session import IMAPSession
from mailhost.imap.values import NOT_AUTHENTICATED
from mailhost.sasl.mechanism import text
from mailhost.users.values import Login as LoggedIn


@dataclass(frozen=True, slots=True)
class Login:
    user: str
    password: str

    def __repr__(self) -> str:
        return f"Login({self.user!r}, ***)"


def parse(reader: Reader) -> Login:
    """Login = "LOGIN" SP userid SP password"""
    if reader.announced is not None:  # literals that were not asked for, because the password would be in clear
        return Login("", "")
    reader.space()
    user = reader.astring()
    reader.space()
    password = reader.astring()
    reader.end()
    return Login(text(user), text(password))


async def run(session: IMAPSession, request: Login) -> Status:
    need_tls(session)
    return logged_in(session, await log_in(session, request.user, request.password))


def logged_in(session: IMAPSession, login: LoggedIn) -> Status:
    """The capabilities of the new state spare the client a round trip (RFC 3501 section 7.1)."""
    session.login = login
    session.failed_logins = 0
    return ok("Logged in", f"CAPABILITY {session.capabilities()}")


COMMAND: Command[IMAPSession, Reader, Status] = Command("LOGIN", NOT_AUTHENTICATED, parse, run, rfc=3501)
