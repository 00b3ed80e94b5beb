"""An IMAP session: its states, the mailbox that is open, and what is told of others' changes between commands."""

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, ClassVar, TypeVar, TypeVarTuple, overload

from mailhost.conversation.command import Command, SyntaxProblem
from mailhost.conversation.login import may_log_in, mechanisms
from mailhost.conversation.services import Services
from mailhost.conversation.session import Request
from mailhost.database.errors import CommitFailed, Refused
from mailhost.database.marks import ForMany
from mailhost.database.transaction import Transaction
from mailhost.ids import AccountId, Uid
from mailhost.imap.grammar import Reader, Vocabulary
from mailhost.imap.hierarchy import Name
from mailhost.imap.reading import ReadingSession
from mailhost.imap.refusals import FAREWELLS, REFUSALS
from mailhost.imap.responses import (
    DELETED,
    SERVERBUG,
    UNAVAILABLE,
    FlagNames,
    Status,
    bad,
    bye,
    exists,
    no,
    numbered,
    ok,
    untagged,
)
from mailhost.imap.values import IndexItem, MessageSet, State
from mailhost.imap.view import NUMBERS_STAND, View
from mailhost.store import mailboxes
from mailhost.store.errors import (
    MailboxMissing,
    TargetMissing,
)
from mailhost.store.index import MailboxIndex
from mailhost.store.values import Mailbox, MailboxKey
from mailhost.transport.channel import Channel
from mailhost.users.errors import LoginRefused

A = TypeVar("A")
Q = TypeVar("Q")
T = TypeVar("T")
Ts = TypeVarTuple("Ts")

PAGE = 200
"""Messages whose data is read and written in one turn."""


@dataclass(frozen=True, slots=True)
class Dialect:
    """The tables of base and extensions, summed."""

    commands: Mapping[str, Command[Any, Reader, Status]]
    capabilities: tuple[Callable[["IMAPSession"], str], ...]
    """What each extension lists; what depends on the connection (STARTTLS, AUTH=) is added by the session."""
    non_synchronizing: bool
    """Whether a literal may come without being asked for (RFC 7888)."""
    initial_response: bool
    """Whether AUTHENTICATE may have a response with it (RFC 4959)."""
    tells_uids: bool
    """Whether APPENDUID and COPYUID are told (RFC 4315)."""
    enable: Mapping[str, Callable[["IMAPSession"], None]]
    """What ENABLE may name, and what it does."""
    enabled_by: Mapping[bytes, str]
    """Words whose use enables an extension."""
    select_says: tuple[Callable[["IMAPSession"], Status], ...]
    status_items: Mapping[bytes, Callable[["IMAPSession", Mailbox], int]]
    list_attributes: tuple[Callable[[Name], Sequence[str]], ...]
    """What LIST, LSUB and XLIST say of every name."""
    vocabulary: Vocabulary


@dataclass(frozen=True, slots=True)
class IMAPSettings:
    """What a listener can be told."""

    idle_notice: timedelta = timedelta(minutes=4)
    """How often a client in IDLE hears that its connection is alive."""


@dataclass(slots=True)
class Selected:
    """The mailbox that is open."""

    key: MailboxKey
    name: str
    index: MailboxIndex
    view: View
    flag_names: FlagNames
    read_only: bool
    claimed: Uid
    """Messages below it are recent to no later session."""


class IMAPSession(ReadingSession):
    protocol: ClassVar[str] = "imap"

    def __init__(self, channel: Channel, services: Services, dialect: Dialect, settings: IMAPSettings) -> None:
        super().__init__(channel, services, dialect.commands, dialect.vocabulary, dialect.non_synchronizing)
        self.dialect = dialect
        self.settings = settings
        self.current: Selected | None = None
        self.enabled: set[str] = set()
        """Extensions that the client has asked for, by ENABLE or by using them."""
        self.beside_flags: tuple[IndexItem, ...] = ()
        """What is told wherever flags are told, since the client has asked for it."""
        self.after_expunge: Callable[[IMAPSession], str] | None = None
        """The response code of an EXPUNGE that took something out."""
        self.changed = asyncio.Event()
        """Something is to be told: what IDLE waits for."""

    @property
    def state(self) -> State:
        if self.login is None:
            return State.NOT_AUTHENTICATED
        return State.AUTHENTICATED if self.current is None else State.SELECTED

    @property
    def account(self) -> AccountId:
        assert self.login is not None, "the state table let a command pass that needs a login"
        return self.login.account

    @property
    def selected(self) -> Selected:
        assert self.current is not None, "the state table let a command pass that needs a mailbox"
        return self.current

    async def greet(self) -> None:
        self.write(ok(f"{self.services.host} IMAP4rev1 ready", f"CAPABILITY {self.capabilities()}").line())

    # Extensions that work from when they are asked for.

    def enable(self, name: str) -> bool:
        """Answers whether it was off. Raises what the extension's own hook does."""
        if name in self.enabled:
            return False
        self.dialect.enable[name](self)
        self.enabled.add(name)
        return True

    def understood(self, request: Request[Reader]) -> None:
        """A command that uses an extension may ask for it by that (RFC 7162 section 3.1)."""
        for word in request.reader.extension_words:
            if word in self.dialect.enabled_by:
                self.enable(self.dialect.enabled_by[word])

    # Answering.

    def send(self, answer: Status) -> None:
        self.write(answer.line(self._tag))

    def capabilities(self) -> str:
        """What CAPABILITY says here and now: only what works."""
        words = ["IMAP4rev1", *(says(self) for says in self.dialect.capabilities)]
        if self.login is None:
            if not self.encrypted:
                words.append("STARTTLS")
            words += [f"AUTH={name}" for name in mechanisms(self)]
            if not may_log_in(self):
                words.append("LOGINDISABLED")
        return " ".join(words)

    async def tell(self, command: Command[Any, Reader, Status]) -> None:
        """What others changed; no EXPUNGE while numbers must stand."""
        if self.current is None or self.ended:
            return
        if self.current.view.gone:
            self.write(bye("The mailbox was deleted", UNAVAILABLE).line())
            self.ended = True
            return
        await self.tell_news(expunges=self.by_uid or command.name not in NUMBERS_STAND)

    async def tell_news(self, *, expunges: bool) -> None:
        self.changed.clear()
        news = self.selected.view.news(expunges=expunges)
        for start in range(0, len(news.expunged), PAGE):
            self.write(b"".join([numbered(each, b"EXPUNGE") for each in news.expunged[start : start + PAGE]]))
            await self.channel.drain()
            await asyncio.sleep(0)
        if news.exists is not None:
            self.write(exists(news.exists) + numbered(news.recent or 0, b"RECENT"))
        if news.flags:
            self.flags_told.update(news.flags)
            await self.tell_flags(news.flags)

    async def tell_flags(self, uids: Sequence[Uid]) -> None:
        """FETCH responses with the flags that these messages have now, a page at a time."""
        view = self.selected.view
        for start in range(0, len(uids), PAGE):
            page = uids[start : start + PAGE]
            flags = view.flags_of(page, DELETED)
            names = await self.flag_names(flags)
            texts = [names.text(flag, recent) for flag, recent in zip(flags, view.are_recent(page), strict=True)]
            self._write_flags(page, texts)
            await self.channel.drain()
            await asyncio.sleep(0)

    async def tell_beside_flags(self, uids: Sequence[Uid]) -> None:
        """What goes with flags, for messages whose flags the client knows."""
        for start in range(0, len(uids), PAGE):
            self._write_flags(uids[start : start + PAGE], None)
            await self.channel.drain()
            await asyncio.sleep(0)

    def _write_flags(self, uids: Sequence[Uid], texts: Sequence[bytes] | None) -> None:
        """A FETCH that nobody asked for, one a message; after a UID command it names the UID (RFC 3501 section 6.4.8)."""
        view = self.selected.view
        columns: list[tuple[bytes, Iterable[object]]] = []
        if self.by_uid:
            columns.append((b"UID %d", uids))
        if texts is not None:
            columns.append((b"FLAGS (%b)", texts))
        columns += [(item.form, item.values(view, uids)) for item in self.beside_flags]
        form = b"* %d FETCH (" + b" ".join(form for form, _ in columns) + b")\r\n"
        rows = zip(view.numbers(uids), *(values for _, values in columns), strict=True)
        self.write(b"".join([form % row for row in rows]))

    async def flag_names(self, flags: Sequence[int]) -> FlagNames:
        """Names for these flags; where another session has brought in a keyword, FLAGS tells of it first."""
        selected = self.selected
        used = 0
        for each in set(flags):
            used |= each
        if used & ~selected.flag_names.known:
            await self.learn_keywords()
        return selected.flag_names

    async def learn_keywords(self) -> None:
        selected = self.selected
        names = FlagNames(dict(await self.services.database.read(mailboxes.keywords, selected.key)))
        if names.known != selected.flag_names.known:
            selected.flag_names = names
            self.write(untagged(b"FLAGS", names.all()))

    # The open mailbox.

    @overload
    async def written(self, operation: ForMany[Q, A], request: Q, /) -> A: ...
    @overload
    async def written(self, operation: Callable[[Transaction, *Ts], T], /, *arguments: *Ts) -> T: ...
    async def written(self, operation: Any, /, *arguments: *Ts) -> Any:
        """Change mailboxes. If one of them is open, its index has the change when this answers, and what others did before it."""
        answer: Any = await self.services.database.write(operation, *arguments)
        if self.current is not None:
            await self.services.indexes.follow(self.current.index)
        return answer

    async def chosen(self, messages: MessageSet) -> Sequence[Uid]:
        """The messages that a command means. By UID it may mean one that is new: EXISTS goes first."""
        if messages.by_uid:
            await self.tell_news(expunges=False)
        return self.selected.view.uids(messages)

    def select(self, found: Mailbox, index: MailboxIndex, view: View, names: FlagNames, *, read_only: bool) -> None:
        self.current = Selected(
            MailboxKey(found.account, found.id), found.name, index, view, names, read_only, found.uid_next
        )

    async def leave(self) -> None:
        """The mailbox is closed. What came while it was open was recent to this session, and will be to no other."""
        current, self.current = self.current, None
        if current is None:
            return
        self.services.indexes.close(current.index, current.view)
        above = Uid(current.view.last_told + 1)
        if not current.read_only and above > current.claimed:
            with suppress(CommitFailed):  # recent once more: no harm
                await self.services.database.write(mailboxes.claim_recent_below, current.key, above)

    async def clean_up(self) -> None:
        await self.leave()

    # The store.

    async def read_store(self, operation: Callable[[Transaction, *Ts], T], *arguments: *Ts) -> T:
        return await self.services.database.read(operation, *arguments)

    async def mailbox(self, name: str) -> Mailbox:
        """Raises `MailboxMissing`."""
        return await self.services.database.read(mailboxes.find, self.account, name)

    async def target(self, name: str) -> Mailbox:
        """Where messages are to go. Raises `TargetMissing`: the client may create it."""
        try:
            return await self.mailbox(name)
        except MailboxMissing:
            raise TargetMissing from None

    # The refusals.

    def unknown(self, verb: str) -> Status:
        return bad("An unknown command" if verb else "A command was expected")

    def wrong_state(self, command: Command[Any, Reader, Status]) -> Status:
        if command.states == frozenset({State.NOT_AUTHENTICATED}):
            return bad(f"{command.name} is not for those logged in")
        if self.current is not None:
            return bad(f"{command.name} is not for when a mailbox is selected")
        return bad(f"{command.name} wants a mailbox selected" if self.login else f"{command.name} wants a login first")

    def bad_syntax(self, problem: SyntaxProblem) -> Status:
        """No end without BYE (RFC 3501 section 3.4)."""
        if self.ended:
            self.write(bye("What follows cannot be told from commands").line())
        return bad(str(problem))

    def refused(self, refusal: Refused) -> Status:
        if isinstance(refusal, LoginRefused) and self.ended:
            self.write(bye("Too many failed logins").line())
        return next(REFUSALS[each] for each in type(refusal).__mro__ if each in REFUSALS)

    def unavailable(self) -> Status:
        return no("Nothing was done, try again later", UNAVAILABLE)

    def fault(self) -> Status:
        return no("A mistake of the server, it was noted", SERVERBUG)

    def farewell(self, cause: str) -> None:
        self.write(FAREWELLS[cause].line())

    def misdirected(self, text: str) -> None:
        self.write(bye(text).line())
