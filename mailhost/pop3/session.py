"""What is special in a POP3 session: two states, one open maildrop, and multi-line responses (RFC 1939 section 3)."""

import asyncio
import enum
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from typing import Any, ClassVar, TypeAlias

from mailhost.conversation.command import Command, SyntaxProblem
from mailhost.conversation.login import PlaintextForbidden
from mailhost.conversation.secrets import MASK, LoginWatch, masked
from mailhost.conversation.services import Services
from mailhost.conversation.session import Request, Session
from mailhost.database.errors import Refused
from mailhost.events.event import FAULT
from mailhost.message.form import Form
from mailhost.pop3 import grammar, responses
from mailhost.pop3.grammar import Reader
from mailhost.pop3.maildrop import Maildrop, MaildropInUse, MessageDeleted, MessageGone, NoSuchMessage, open_maildrop
from mailhost.pop3.responses import Answer, Ending, MultiLine, Response
from mailhost.store.errors import MailboxMissing
from mailhost.transport.channel import Channel, ChannelError, EndOfInput, LineTooLong
from mailhost.users.errors import AccountDisabled, LoginBusy, LoginRefused
from mailhost.users.values import Login

REFUSALS: Mapping[type[Refused], Response] = {
    PlaintextForbidden: responses.TLS_FIRST,
    AccountDisabled: responses.ACCOUNT_DISABLED,
    LoginRefused: responses.WRONG_PASSWORD,
    LoginBusy: responses.LOGIN_BUSY,
    MaildropInUse: responses.MAILDROP_IN_USE,
    MailboxMissing: responses.NO_MAILDROP,
    NoSuchMessage: responses.NO_SUCH_MESSAGE,
    MessageDeleted: responses.MESSAGE_DELETED,
    MessageGone: responses.MESSAGE_GONE,
}
FAREWELLS: Mapping[str, Response] = {
    "errors": responses.TOO_MANY_ERRORS,
    "account": responses.ACCOUNT_CHANGED,
}


class State(enum.Enum):
    """RFC 1939 section 3. The UPDATE state has no commands: it is what QUIT does."""

    AUTHORIZATION = "authorization"
    TRANSACTION = "transaction"


LOGIN_VERBS = frozenset({"USER", "PASS", "APOP", "AUTH"})
AUTHORIZATION, TRANSACTION = frozenset({State.AUTHORIZATION}), frozenset({State.TRANSACTION})
ANY_STATE = AUTHORIZATION | TRANSACTION

Announce: TypeAlias = Callable[["POP3Session"], str]
"""A line of CAPA, or nothing where the capability does not work now."""
POP3Command: TypeAlias = Command["POP3Session", Reader, Answer]


class POP3Session(Session[Reader, Answer]):
    """One client and, after its login, its maildrop."""

    protocol: ClassVar[str] = "pop3"

    def __init__(
        self,
        channel: Channel,
        services: Services,
        commands: Mapping[str, Command[Any, Reader, Answer]],
        capabilities: Sequence[Announce],
    ) -> None:
        super().__init__(channel, services, commands)
        self.user: str | None = None
        """Who USER has said to be; forgotten after PASS."""
        self.takes = Form.PLAIN
        """What the client takes beyond plain mail."""
        self._capabilities = capabilities
        self._maildrop: Maildrop | None = None
        self._logins = LoginWatch()

    @property
    def state(self) -> State:
        return State.AUTHORIZATION if self._maildrop is None else State.TRANSACTION

    @property
    def maildrop(self) -> Maildrop:
        """The open maildrop: the state table has seen to it that there is one."""
        if self._maildrop is None:
            raise RuntimeError("no maildrop is open in this state")
        return self._maildrop

    @property
    def capabilities(self) -> list[str]:
        """What works now (RFC 2449 section 5)."""
        return [line for announce in self._capabilities if (line := announce(self))]

    async def open_maildrop(self, login: Login) -> Response:
        """From AUTHORIZATION to TRANSACTION. Raises `MaildropInUse`, `MailboxMissing`."""
        self._maildrop = await open_maildrop(self.services.database, self.services.locks, login.account, self.takes)
        return responses.maildrop_open(self._maildrop.messages, self._maildrop.octets)

    async def greet(self) -> None:
        self.send(responses.greeting(self.services.host))
        await self.channel.drain()

    async def read(self) -> Request[Reader]:
        verb, reader = grammar.command(await self._line(self.services.limits.line_octets, self._shown))
        return Request(verb, reader)

    def send(self, answer: Answer) -> None:
        self.write(bytes(answer))

    async def prompt(self, base64: bytes, limit: int) -> bytes:
        """Send a challenge, and read the client's response, which nobody else gets to see."""
        self.write(responses.challenge(base64))
        await self.channel.drain()
        return await self._line(limit, lambda _: MASK)

    async def message(self, first: Response, pieces: AsyncIterator[bytes]) -> Ending:
        """Write mail after `first`, all but its end; it is no line of the conversation."""
        return await self._multi_line(first, pieces, self._write_mail)

    async def listing(self, first: Response, lines: Iterable[str]) -> Ending:
        """Write lines of our own after `first`, all but their end."""
        return await self._multi_line(first, _one_by_one(responses.listing(lines)), self.write)

    # The refusals.

    def unknown(self, verb: str) -> Response:  # noqa: ARG002 - what was sent is never echoed: it may be a password
        return responses.UNKNOWN

    def wrong_state(self, command: Command[Any, Reader, Answer]) -> Response:
        return responses.wrong_state(command.name, self.state is State.TRANSACTION)

    def bad_syntax(self, problem: SyntaxProblem) -> Response:
        return responses.bad_syntax(str(problem))

    def refused(self, refusal: Refused) -> Response:
        return next((REFUSALS[each] for each in type(refusal).__mro__ if each in REFUSALS), responses.FAULT)

    def unavailable(self) -> Response:
        return responses.UNAVAILABLE

    def fault(self) -> Response:
        return responses.FAULT

    def farewell(self, cause: str) -> None:
        """A session that timed out ends without a word, and without UPDATE (RFC 1939 section 3)."""
        if cause in FAREWELLS:
            self.send(FAREWELLS[cause])

    def misdirected(self, text: str) -> None:
        self.send(responses.err(text))

    async def clean_up(self) -> None:
        """However the session ended, the maildrop is free; what was marked stays unless QUIT was heard."""
        if self._maildrop is not None:
            self._maildrop.close()

    def _shown(self, line: bytes) -> bytes:
        """For the wire log. What is no command of ours may be a password that its client sends at the wrong moment."""
        verb = b"".join(line.split(maxsplit=1)[:1]).decode("ascii", "replace").upper()
        is_known = not verb or verb in self.commands
        if self._logins.may_be_secret(known=is_known, login=verb in LOGIN_VERBS, logged_in=self._maildrop is not None):
            return MASK
        secretive = grammar.masked(line)
        return secretive if is_known or secretive != line else masked(line, words=1)

    async def _line(self, limit: int, mask: Callable[[bytes], bytes]) -> bytes:
        try:
            line = await self.channel.read_line(limit)
        except LineTooLong as problem:
            if self.services.events.lines:
                self.heard(mask(problem.head), cut=True)
            raise SyntaxProblem(responses.LINE_TOO_LONG) from None
        if self.services.events.lines:
            self.heard(mask(line))
        return line

    async def _multi_line(
        self, first: Response, pieces: AsyncIterator[bytes], write: Callable[[bytes], None]
    ) -> Ending:
        """A fault before the first piece is told as any other; later the connection ends: an -ERR would be read as mail."""
        piece = await anext(pieces, b"")
        self.send(first)
        response = MultiLine()
        write(response.take(piece))
        try:
            async for each in pieces:
                await self._let_others_go_on()
                write(response.take(each))
        except (ChannelError, ConnectionError):
            raise
        except Exception as fault:
            self.publish(FAULT, cause=f"broken off: {fault!r}", data={"exception": fault})
            self.channel.abort()
            raise ConnectionAbortedError from fault
        return response.end()

    async def _let_others_go_on(self) -> None:
        """Between two pieces: wait for the client to read, give way, and stop if there is no client any more."""
        await self.channel.drain()
        await asyncio.sleep(0)
        if self.channel.closed:
            raise EndOfInput

    def _write_mail(self, octets: bytes) -> None:
        self.passed("S", octets)
        self.channel.write(octets)


async def _one_by_one(pieces: Iterable[bytes]) -> AsyncIterator[bytes]:
    for piece in pieces:
        yield piece
