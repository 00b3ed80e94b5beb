"""An SMTP session: its states, its envelope, and what it says when something is wrong."""

import enum
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, TypeAlias

from mailhost.conversation.command import Command, SyntaxProblem
from mailhost.conversation.login import PlaintextForbidden
from mailhost.conversation.services import Services
from mailhost.conversation.session import Request, Session
from mailhost.database.errors import Refused
from mailhost.delivery.route import RecipientUnknown
from mailhost.events.event import REFUSED
from mailhost.message.budget import Limits as ScanLimits
from mailhost.smtp import replies
from mailhost.smtp.envelope import Envelope
from mailhost.smtp.grammar import Reader
from mailhost.smtp.replies import Reply
from mailhost.transport.channel import Channel, LineTooLong
from mailhost.users.errors import AccountDisabled, LoginBusy, LoginRefused
from mailhost.users.values import Login


class State(enum.Enum):
    """Where a session is (RFC 5321 section 4.1.4)."""

    CONNECTED = "connected"
    READY = "ready"
    MAIL = "mail"
    RECIPIENTS = "recipients"


LONGEST_SHOWN_VERB = 64
_CONTROL = re.compile(rb"[\x00-\x08\x0a-\x1f\x7f]")
"""A bare CR among them (RFC 5321 section 2.3.8); a TAB is taken for a space."""

ANYWHERE = frozenset(State)
AFTER_HELLO = frozenset(State) - {State.CONNECTED}


class LineProblem(SyntaxProblem):
    """A line that cannot be read at all, with the reply for it."""

    def __init__(self, reply: Reply) -> None:
        super().__init__(reply.lines[0])
        self.reply = reply


@dataclass(frozen=True, slots=True)
class SMTPSettings:
    """What one listener does."""

    submission: bool = False
    """Whether it is for users, who log in and may send anywhere (RFC 6409), or for other hosts."""
    message_octets: int = 50 << 20
    header_octets: int = 1 << 20
    most_recipients: int = 1000
    """At least 100 (RFC 5321 section 4.5.3.1.8)."""
    most_hops: int = 100
    """Received fields (RFC 5321 section 6.3)."""
    line_octets: int = 2048
    """RFC 5321 section 4.5.3.1.4 asks for 512, extensions for more."""
    data_timeout: float = 180.0
    """Seconds between two pieces of a message (RFC 5321 section 4.5.3.2.5)."""
    normalise_newlines: bool = False
    scan: ScanLimits = field(default_factory=ScanLimits)


REFUSALS: Mapping[type[Refused], Reply] = {
    RecipientUnknown: replies.NO_SUCH_USER,
    PlaintextForbidden: replies.TLS_REQUIRED,
    AccountDisabled: replies.ACCOUNT_DISABLED,
    LoginRefused: replies.BAD_LOGIN,
    LoginBusy: replies.LOGIN_BUSY,
}
HELLOS = frozenset({"HELO", "EHLO"})
FAREWELLS = {
    "timeout": replies.TOO_SLOW,
    "errors": replies.TOO_MANY_ERRORS,
    "shutdown": replies.SHUTTING_DOWN,
    "account": replies.ACCOUNT_CHANGED,
}
STATE_REFUSALS: Mapping[State, Reply] = {
    State.CONNECTED: replies.HELLO_FIRST,
    State.READY: replies.MAIL_FIRST,
    State.MAIL: replies.RECIPIENT_FIRST,
    State.RECIPIENTS: replies.NESTED_MAIL,
}


@dataclass(frozen=True, slots=True)
class Dialect:
    """What a listener speaks: the base and its extensions, summed."""

    commands: Mapping[str, "SMTPCommand"]
    announced: tuple[Callable[["SMTPSession"], tuple[str, ...]], ...]
    """What each extension says in EHLO now."""
    mail: Mapping[str, "MailParameter"]


class SMTPSession(Session[Reader, Reply]):
    """One conversation with another host, or with a user's client."""

    protocol: ClassVar[str] = "smtp"

    def __init__(self, channel: Channel, services: Services, dialect: Dialect, settings: SMTPSettings) -> None:
        super().__init__(channel, services, dialect.commands)
        self.dialect = dialect
        self.settings = settings
        self.helo = ""
        self.extended = False
        """Whether the client said EHLO, and so may be told of extensions."""
        self.login: Login | None = None
        self._envelope: Envelope | None = None
        self._verb = ""
        """Of the command that is being answered."""
        self._secret_ahead = False
        """Whether the client may go on with a login that was refused, and send its password as if it were a command."""

    @property
    def state(self) -> State:
        if not self.helo:
            return State.CONNECTED
        if self._envelope is None:
            return State.READY
        return State.RECIPIENTS if self._envelope.recipients else State.MAIL

    @property
    def envelope(self) -> Envelope:
        """The state table alone decides whether there is one."""
        if self._envelope is None:
            raise RuntimeError("no transaction is under way")
        return self._envelope

    def begin(self, envelope: Envelope) -> None:
        self._envelope = envelope

    def reset(self) -> None:
        """Forget the transaction (RFC 5321 section 4.1.1.5)."""
        self._envelope = None

    def forget_hello(self) -> None:
        """After STARTTLS nothing that was said before counts (RFC 3207 section 4.2)."""
        self.reset()
        self.helo, self.extended, self.login = "", False, None

    async def greet(self) -> None:
        self.send(replies.reply(220, "", f"{self.services.host} ESMTP mailhost"))

    async def read(self) -> Request[Reader]:
        try:
            line = await self.channel.read_line(self.settings.line_octets)
        except LineTooLong:
            raise LineProblem(replies.LINE_TOO_LONG) from None
        reader = Reader(line)
        self._verb = (reader.optional_word() or b"").decode("ascii", "replace").upper()
        if self.services.events.lines:
            self.heard(self._shown(line))
        if _CONTROL.search(line):
            raise SyntaxProblem("a command has no control characters")
        self._secret_ahead = self._verb == "AUTH" or (self._secret_ahead and self._verb not in self.commands)
        return Request(self._verb, reader)

    def send(self, answer: Reply) -> None:
        if answer.code >= 400:
            self.publish(
                REFUSED, cause=f"{answer.code} {answer.enhanced} {answer.lines[-1]}", data={"state": self.state.value}
            )
        self.write(bytes(answer))

    def _shown(self, line: bytes) -> bytes:
        """For the wire log. What is no command of ours may be a password that its client sends at the wrong moment."""
        if self._verb == "AUTH":
            return _masked(line, words=2)
        if self._verb in self.commands:
            return line
        return b"***" if self._secret_ahead else _masked(line[:LONGEST_SHOWN_VERB], words=1)

    async def ask(self, prompt: Reply, limit: int) -> bytes:
        """Say something in the middle of a command, and read the line that answers it. Raises `LineTooLong`."""
        self.write(bytes(prompt))
        line = await self.channel.read_line(limit)
        self.heard(b"***")
        return line

    def unknown(self, verb: str) -> Reply:  # noqa: ARG002 - what it was is in the log already
        return replies.UNKNOWN_COMMAND

    def wrong_state(self, command: Command[Any, Reader, Reply]) -> Reply:
        """What is to be sent first: more of the transaction for DATA, its end for what stands outside of one."""
        if self._envelope is not None and State.RECIPIENTS not in command.states:
            return replies.NESTED_MAIL
        return STATE_REFUSALS[self.state]

    def bad_syntax(self, problem: SyntaxProblem) -> Reply:
        if isinstance(problem, LineProblem):
            return problem.reply
        if self._verb in HELLOS:
            return replies.BAD_HELLO
        return replies.BAD_ARGUMENTS.saying(f"Syntax error: {problem}")

    def refused(self, refusal: Refused) -> Reply:
        if isinstance(refusal, LoginRefused) and self.ended:
            return replies.TOO_MANY_LOGINS
        return next((reply for error, reply in REFUSALS.items() if isinstance(refusal, error)), replies.FAULT)

    def unavailable(self) -> Reply:
        return replies.UNAVAILABLE

    def fault(self) -> Reply:
        return replies.FAULT

    def farewell(self, cause: str) -> None:
        self.write(bytes(FAREWELLS[cause]))

    def misdirected(self, text: str) -> None:
        self.write(bytes(replies.reply(421, "4.7.0", text)))


SMTPCommand: TypeAlias = Command[SMTPSession, Reader, Reply]
MailParameter: TypeAlias = Callable[[SMTPSession, Envelope, str], Reply | None]
"""Take one parameter of MAIL into the envelope; answers with a reply where it is to be refused."""


def _masked(line: bytes, words: int) -> bytes:
    """So many words of a line; what follows may be a secret."""
    shown = line.split(maxsplit=words)
    return b" ".join([*shown[:words], b"***"]) if len(shown) > words else line
