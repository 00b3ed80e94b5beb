"""An SMTP session: its states, its envelope, and what it says when something is wrong."""

import enum
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, TypeAlias, TypeVar

from mailhost.config.networks import Network, is_in
from mailhost.conversation.command import Command, SyntaxProblem
from mailhost.conversation.login import PlaintextForbidden
from mailhost.conversation.secrets import MASK, LoginWatch, masked, mechanism_shown
from mailhost.conversation.services import Services
from mailhost.conversation.session import Request, Session
from mailhost.database.errors import Refused
from mailhost.delivery.route import RecipientUnknown
from mailhost.events.event import REFUSED
from mailhost.message.address import Address
from mailhost.smtp import replies
from mailhost.smtp.envelope import Envelope, Wishes
from mailhost.smtp.grammar import Reader
from mailhost.smtp.replies import Reply
from mailhost.transport.channel import Channel, LineTooLong
from mailhost.users.errors import AccountDisabled, LoginBusy, LoginRefused
from mailhost.users.values import Login

if TYPE_CHECKING:
    from mailhost.smtp.incoming import Incoming

E = TypeVar("E")


class State(enum.Enum):
    """Where a session is (RFC 5321 section 4.1.4)."""

    CONNECTED = "connected"
    READY = "ready"
    MAIL = "mail"
    RECIPIENTS = "recipients"
    CHUNKS = "chunks"
    """A message is under way by BDAT (RFC 3030)."""


MOST_NAMED = 20
"""Recipients that an event names."""
_CONTROL = re.compile(rb"[\x00-\x08\x0a-\x1f\x7f]")
"""A bare CR among them (RFC 5321 section 2.3.8); a TAB is taken for a space."""

ANYWHERE = frozenset(State)


class LineProblem(SyntaxProblem):
    """A line that cannot be read at all, with the reply for it; `last` where nothing sensible can follow."""

    def __init__(self, reply: Reply, *, last: bool = False) -> None:
        super().__init__(reply.lines[0])
        self.reply = reply
        self.last = last


@dataclass(frozen=True, slots=True)
class SMTPSettings:
    """What one listener does."""

    submission: bool = False
    """Whether it is for users, who log in and may send anywhere (RFC 6409), or for other hosts."""
    message_octets: int = 50 << 20
    header_octets: int = 1 << 20
    most_recipients: int = 1000
    """At least 100 (RFC 5321 section 4.5.3.1.8)."""
    most_transactions: int = 10_000
    """MAIL commands in one session, whatever becomes of them (RFC 9422 section 4.1)."""
    most_commands: int = 1_000
    """Commands in a row that bring no message and no recipient."""
    most_hops: int = 100
    """Received fields (RFC 5321 section 6.3)."""
    most_visits: int = 5
    """Of these, those that name this server itself."""
    longest_hold: int = 0
    """Seconds for which a client may have a message held (RFC 4865); 0 does not offer it."""
    shortest_deliver_by: int = 0
    """Seconds within which a message may be asked to be delivered or returned (RFC 2852); 0 sets no limit."""
    highest_priority: int = 0
    """That a client may ask for (RFC 6710); a higher one is lowered to it."""
    line_octets: int = 2048
    """RFC 5321 section 4.5.3.1.4 asks for 512, extensions for more."""
    data_timeout: float = 180.0
    """Seconds between two pieces of a message (RFC 5321 section 4.5.3.2.5)."""
    message_timeout: float = 7200.0
    """Seconds for one whole message."""
    least_rate: int = 100
    """Octets a second that a message must come with, measured from its beginning; `data_timeout` is free of it."""
    normalise_newlines: bool = False
    networks: tuple[Network, ...] = ()
    """Whose hosts may relay without a login."""


REFUSALS: Mapping[type[Refused], Reply] = {
    RecipientUnknown: replies.NO_SUCH_USER,
    PlaintextForbidden: replies.TLS_REQUIRED,
    AccountDisabled: replies.ACCOUNT_DISABLED,
    LoginRefused: replies.BAD_LOGIN,
    LoginBusy: replies.LOGIN_BUSY,
}
HELLOS = frozenset({"HELO", "EHLO"})
BRING_MESSAGE = frozenset({"DATA", "BDAT"})
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
    State.CHUNKS: replies.DATA_AFTER_CHUNKS,
}


@dataclass(frozen=True, slots=True)
class Dialect:
    """What a listener speaks: the base and its extensions, summed."""

    commands: Mapping[str, "SMTPCommand"]
    announced: tuple[Callable[["SMTPSession"], tuple[str, ...]], ...]
    """What each extension says in EHLO now."""
    mail: Mapping[str, "MailParameter"]
    rcpt: Mapping[str, "RcptParameter"]
    bodies: tuple[str, ...]
    """What MAIL's BODY may say."""
    codes: bool
    """Whether replies have enhanced codes (RFC 2034)."""


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
        self.network = is_in(channel.peer.address, settings.networks)
        """The listed one that the peer is in: what it sends is ours to relay, as a login's is."""
        self.message: Incoming | None = None
        """What is under way between the first octet and the reply to the last."""
        self.transactions = 0
        self.idle_commands = 0
        """Since the last that brought a message, some of one, or a recipient."""
        self.asked: Address | None = None
        """The path in the command that is being answered, MAIL or RCPT."""
        self._envelope: Envelope | None = None
        self._begun: Envelope | None = None
        """The envelope as it was when the command was read: DATA has ended the transaction before its reply is sent."""
        self._reads_utf8 = False
        """Whether the reply that is being made may hold UTF-8: its transaction has said SMTPUTF8 (RFC 6531 section 3.7.4)."""
        self._verb = ""
        """Of the command that is being answered."""
        self._logins = LoginWatch()

    @property
    def state(self) -> State:
        if not self.helo:
            return State.CONNECTED
        if self._envelope is None:
            return State.READY
        if self.message is not None:
            return State.CHUNKS
        return State.RECIPIENTS if self._envelope.recipients else State.MAIL

    @property
    def may_relay(self) -> bool:
        return self.login is not None or self.network is not None

    @property
    def envelope(self) -> Envelope:
        """The state table alone decides whether there is one."""
        if self._envelope is None:
            raise RuntimeError("no transaction is under way")
        return self._envelope

    def begin(self, envelope: Envelope) -> None:
        self._envelope = envelope
        self._reads_utf8 = envelope.smtputf8

    async def reset(self) -> None:
        """Forget the transaction (RFC 5321 section 4.1.1.5), and what came of its message."""
        self._envelope = None
        message, self.message = self.message, None
        if message is not None:
            await message.discard()

    async def clean_up(self) -> None:
        await self.reset()

    async def forget_hello(self) -> None:
        """After STARTTLS nothing that was said before counts (RFC 3207 section 4.2)."""
        await self.reset()
        self.helo, self.extended, self.login = "", False, None

    @contextmanager
    def octets_due(self) -> Iterator[None]:
        """What comes now is no command. Should we fail before all of it is taken, the rest must not be read as one: the session ends."""
        ended, self.ended = self.ended, True
        yield
        self.ended = ended

    async def greet(self) -> None:
        self.send(replies.reply(220, "", f"{self.services.host} ESMTP mailhost"))

    async def read(self) -> Request[Reader]:
        self._reads_utf8, self.asked = self._envelope is not None and self._envelope.smtputf8, None
        self._begun = self._envelope
        try:
            line = await self.channel.read_line(self.settings.line_octets)
        except LineTooLong as problem:
            self._verb = _verb(Reader(problem.head))
            if self.services.events.lines:
                self.heard(self._shown(problem.head), cut=True)
            raise LineProblem(replies.LINE_TOO_LONG, last=self._has_octets_behind) from None
        reader = Reader(line)
        self._verb = _verb(reader)
        if self.services.events.lines:
            self.heard(self._shown(line))
        self._count()
        if _CONTROL.search(line):
            raise SyntaxProblem("a command has no control characters")
        return Request(self._verb, reader)

    def _count(self) -> None:
        """A client that only keeps the server busy is sent away."""
        self.idle_commands += 1
        if self.idle_commands > self.settings.most_commands:
            raise LineProblem(replies.TOO_MANY_COMMANDS, last=True)

    def say(self, answer: Reply) -> None:
        """Write a reply in the form that this client has been promised."""
        self.write(answer.encode(enhanced=self.dialect.codes, utf8=self._reads_utf8))

    def send(self, answer: Reply) -> None:
        if answer.code >= 400:
            self._tell_refusal(answer)
        self.say(answer)

    def _tell_refusal(self, answer: Reply) -> None:
        """Who was refused, and for whom: "they say that they wrote to us" is asked for days later."""
        data: dict[str, Any] = {"state": self.state.value}
        named = self.asked and self.asked.text()
        if self._begun is not None:
            data["sender"] = "" if self._begun.reverse_path is None else self._begun.reverse_path.text()
            if named or self._verb in BRING_MESSAGE:
                data["recipients"] = [named] if named else self._begun.addresses()[:MOST_NAMED]
        elif named:
            data["sender"] = named
        words = filter(None, (str(answer.code), answer.enhanced, answer.lines[-1]))
        self.publish(REFUSED, cause=" ".join(words), data=data)

    def _shown(self, line: bytes) -> bytes:
        """For the wire log. What is no command of ours may be a password that its client sends at the wrong moment."""
        is_known, is_login = self._verb in self.commands, self._verb == "AUTH"
        if self._logins.may_be_secret(known=is_known, login=is_login, logged_in=self.login is not None):
            return MASK
        if is_login:
            verb, *rest = masked(line, words=2).split()
            return b" ".join([verb, *map(mechanism_shown, rest[:1]), *rest[1:]])
        return line if is_known else masked(line, words=1)

    async def ask(self, prompt: Reply, limit: int) -> bytes:
        """Say something in the middle of a command, and read the line that answers it. Raises `LineTooLong`."""
        self.say(prompt)
        try:
            line = await self.channel.read_line(limit)
        except LineTooLong:
            self.heard(MASK, cut=True)
            raise
        self.heard(MASK)
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
            self.ended = self.ended or problem.last
            return problem.reply
        if self._has_octets_behind:
            self.ended = True  # or they would be read as commands
            return replies.BAD_CHUNK
        if self._verb in HELLOS:
            return replies.BAD_HELLO
        return replies.BAD_ARGUMENTS.saying(f"Syntax error: {problem}")

    @property
    def _has_octets_behind(self) -> bool:
        """Whether the command that is being answered brings octets, whose number its line would have told."""
        command = self.commands.get(self._verb)
        return command is not None and command.streams

    def refused(self, refusal: Refused) -> Reply:
        if isinstance(refusal, LoginRefused) and self.ended:
            return replies.TOO_MANY_LOGINS
        return next((reply for error, reply in REFUSALS.items() if isinstance(refusal, error)), replies.FAULT)

    def unavailable(self) -> Reply:
        return replies.UNAVAILABLE

    def fault(self) -> Reply:
        return replies.FAULT

    def farewell(self, cause: str) -> None:
        self.say(FAREWELLS[cause])

    def misdirected(self, text: str) -> None:
        self.say(replies.reply(421, "4.7.0", text))


SMTPCommand: TypeAlias = Command[SMTPSession, Reader, Reply]
MailParameter: TypeAlias = Callable[[SMTPSession, Envelope, str], Reply | None]
"""Take one parameter of MAIL into the envelope; answers with a reply where it is to be refused."""
RcptParameter: TypeAlias = Callable[[SMTPSession, Wishes, str], Reply | None]
"""Likewise one of RCPT, for one recipient."""


def take_parameters(
    session: SMTPSession,
    known: Mapping[str, Callable[[SMTPSession, E, str], Reply | None]],
    into: E,
    parameters: Mapping[str, str],
) -> Reply | None:
    """Those of MAIL into its envelope, or of RCPT into its wishes; answers with why one is refused."""
    for name, value in parameters.items():
        take = known.get(name)
        refusal = replies.UNKNOWN_PARAMETER if take is None else take(session, into, value)
        if refusal is not None:
            return refusal
    return None


def _verb(reader: Reader) -> str:
    return (reader.optional_word() or b"").decode("ascii", "replace").upper()
