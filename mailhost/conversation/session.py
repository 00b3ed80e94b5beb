"""What a session of any protocol is: a state, a table of commands, and what it says when something is wrong."""

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from itertools import count
from typing import Any, ClassVar, Generic, TypeVar

from mailhost.conversation.command import Command, SyntaxProblem
from mailhost.conversation.services import Services
from mailhost.database.errors import Refused
from mailhost.events.event import CONNECTION_TLS, DATA_BLOCK, LINE_IN, LINE_OUT
from mailhost.ids import ConnectionId
from mailhost.transport.channel import Channel

R = TypeVar("R")
A = TypeVar("A")

connections = count(1)
"""Connections are numbered as they come, so that a person can follow one in the log."""


@dataclass(frozen=True, slots=True)
class Request(Generic[R]):
    """A command as it came: its verb in upper case, and what reads its arguments."""

    verb: str
    reader: R


class Session(ABC, Generic[R, A]):
    """One conversation. A protocol says how it reads, what it refuses with, and what it tells between commands."""

    protocol: ClassVar[str]

    def __init__(self, channel: Channel, services: Services, commands: Mapping[str, Command[Any, R, A]]) -> None:
        self.channel = channel
        self.services = services
        self.commands = commands
        self.connection = ConnectionId(next(connections))
        self.ended = False
        """Whether the loop is to stop after the reply that is being sent."""
        self.strikes = 0
        """Commands in a row that were not understood."""
        self.failed_logins = 0
        self._after: Callable[[], Awaitable[None]] | None = None

    @property
    @abstractmethod
    def state(self) -> Any:
        """Where the session is; `Command.states` are checked against it."""

    @abstractmethod
    async def greet(self) -> None: ...

    @abstractmethod
    async def read(self) -> Request[R]:
        """The next command. Raises `SyntaxProblem` for what is none, and what the channel raises."""

    @abstractmethod
    def send(self, answer: A) -> None:
        """Write the answer to the command that was read last."""

    def understood(self, request: Request[R]) -> None:
        """The arguments were read without a mistake, and the command is about to run."""

    async def tell(self, command: Command[Any, R, A]) -> None:
        """What others changed meanwhile, where the protocol has words for it."""

    # The refusals.

    @abstractmethod
    def unknown(self, verb: str) -> A: ...
    @abstractmethod
    def wrong_state(self, command: Command[Any, R, A]) -> A: ...
    @abstractmethod
    def bad_syntax(self, problem: SyntaxProblem) -> A: ...
    @abstractmethod
    def refused(self, refusal: Refused) -> A: ...
    @abstractmethod
    def unavailable(self) -> A:
        """The database could not commit: nothing was done, and the client may try again."""

    @abstractmethod
    def fault(self) -> A:
        """A mistake of ours: the log has it, the client hears that it is not its own."""

    @abstractmethod
    def farewell(self, cause: str) -> None:
        """The last words when the server ends the conversation: `cause` is "timeout", "errors", "shutdown" or "account"."""

    @abstractmethod
    def misdirected(self, text: str) -> None:
        """The only words to a client that came to the wrong port: why nothing works, and the cure."""

    async def clean_up(self) -> None:
        """Give back what the session holds, however it ended."""

    # What every session has.

    def after(self, answer: A, act: Callable[[], Awaitable[None]]) -> A:
        """Let the loop send `answer`, and then act."""
        self._after = act
        return answer

    async def act_after(self) -> None:
        if self._after is not None:
            act, self._after = self._after, None
            await act()

    def write(self, data: bytes) -> None:
        if self.services.events.lines:
            self._publish(LINE_OUT, "S", data)
        self.channel.write(data)

    def heard(self, line: bytes, *, cut: bool = False) -> None:
        """Every line that is read passes here, secrets masked by who knows them; of one that is too long only its head."""
        if self.services.events.lines:
            self._publish(LINE_IN, "C", line, cut=cut)

    def passed(self, direction: str, octets: bytes, **fields: Any) -> None:
        """Octets of a message on their way, as they went: they are no lines of the dialogue. `start`: how many went before."""
        if self.services.events.lines and octets:
            self._publish(DATA_BLOCK, direction, octets, **fields)

    def passed_unseen(self, octets: int) -> None:
        """So many octets of something that was refused: they may be anything, and nobody gets to see them."""
        if self.services.events.lines and octets:
            self._publish(DATA_BLOCK, "C", b"", unseen=octets)

    def publish(self, kind: str, **fields: Any) -> None:
        self.services.events.publish(kind, connection=self.connection, **fields)

    def _publish(self, kind: str, direction: str, octets: bytes, **data: Any) -> None:
        data["protocol"] = self.protocol
        self.publish(kind, direction=direction, octets=octets, before=str(self.state), data=data)

    @property
    def encrypted(self) -> bool:
        return bool(self.channel.peer.tls)

    async def start_tls(self) -> None:
        await self.channel.start_tls()
        self.publish(CONNECTION_TLS, data={"tls": self.channel.peer.tls})

    async def run_in_thread(self, call: Callable[[], Any]) -> Any:
        return await asyncio.get_running_loop().run_in_executor(None, call)
