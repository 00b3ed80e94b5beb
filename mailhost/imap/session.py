"""An IMAP session: what is special in this protocol. Commands are read with their literals; others' changes are told between them."""

import asyncio
import re
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, ClassVar, TypeVar, TypeVarTuple, overload

from mailhost.conversation.command import Command, SyntaxProblem
from mailhost.conversation.login import MechanismUnknown, PlaintextForbidden, may_log_in, mechanisms
from mailhost.conversation.services import Services
from mailhost.conversation.session import Request, Session
from mailhost.database.errors import CommitFailed, Refused
from mailhost.database.marks import ForMany
from mailhost.database.transaction import Transaction
from mailhost.ids import AccountId, Uid
from mailhost.imap.grammar import Head, Reader, Vocabulary, head, tag_of
from mailhost.imap.hierarchy import Name
from mailhost.imap.literal import (
    LITERAL_OCTETS,
    LITERAL_OCTETS_BEFORE_LOGIN,
    Allowance,
    announced,
)
from mailhost.imap.responses import (
    ALREADYEXISTS,
    AUTHENTICATIONFAILED,
    CANNOT,
    DELETED,
    EXPUNGEISSUED,
    GO_AHEAD,
    LIMIT,
    NONEXISTENT,
    PRIVACYREQUIRED,
    SERVERBUG,
    TRYCREATE,
    UNAVAILABLE,
    UNTAGGED,
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
from mailhost.imap.values import IndexItem, Literal, MessageSet, State
from mailhost.imap.view import NUMBERS_STAND, View
from mailhost.message.form import Form
from mailhost.store import mailboxes
from mailhost.store.errors import (
    MailboxExists,
    MailboxHasChildren,
    MailboxMissing,
    MailboxNameInvalid,
    MailboxProtected,
    MessageMissing,
    TargetMissing,
    TooManyKeywords,
    TooManyMailboxes,
)
from mailhost.store.index import MailboxIndex
from mailhost.store.values import Mailbox, MailboxKey
from mailhost.transport.channel import Channel, LineTooLong
from mailhost.users.errors import AccountDisabled, LoginBusy, LoginRefused
from mailhost.users.values import Login

A = TypeVar("A")
Q = TypeVar("Q")
T = TypeVar("T")
Ts = TypeVarTuple("Ts")

WRONG_LOGIN = "Wrong user or password; the user is the full address"
"""For known and unknown users alike: a hint for its owner, none for a stranger."""

REFUSALS: Mapping[type[Refused], Status] = {
    MailboxMissing: no("No such mailbox", NONEXISTENT),
    TargetMissing: no("No such mailbox yet", TRYCREATE),
    MailboxExists: no("There is a mailbox of this name", ALREADYEXISTS),
    MailboxNameInvalid: no("Not a name that a mailbox may have", CANNOT),
    MailboxProtected: no("That cannot be done with this mailbox", CANNOT),
    MailboxHasChildren: no("The mailbox has others under it", CANNOT),
    TooManyKeywords: no("The mailbox has all the keywords that it can hold", LIMIT),
    TooManyMailboxes: no("The account has as many mailboxes as it may have", LIMIT),
    MessageMissing: no("Some of the messages were expunged meanwhile", EXPUNGEISSUED),
    LoginRefused: no(WRONG_LOGIN, AUTHENTICATIONFAILED),
    AccountDisabled: no(WRONG_LOGIN, AUTHENTICATIONFAILED),
    LoginBusy: no("Too many logins at this moment, try again", UNAVAILABLE),
    PlaintextForbidden: no("Passwords are taken under TLS only", PRIVACYREQUIRED),
    MechanismUnknown: no("No such mechanism; with SPA, switch it off in the client", CANNOT),
}
"""What the client hears when an operation says no; a class without a row of its own goes by its base."""

FAREWELLS: Mapping[str, Status] = {
    "timeout": bye("Silent for too long", UNAVAILABLE),
    "errors": bye("Too many mistakes"),
    "shutdown": bye("The server is going down", UNAVAILABLE),
    "account": bye("Your account was changed, log in again"),
}

TOO_MANY_CONNECTIONS = bye("Too many connections", UNAVAILABLE).line()

SECRET = frozenset({"LOGIN", "AUTHENTICATE"})
"""Commands whose arguments nobody may see."""
_SECRET = re.compile(
    rb"(.{0,300}?\b(?:login|authenticate +[A-Z0-9_-]+(?![A-Z0-9_-]))) *(?=.)", re.IGNORECASE | re.DOTALL
)
MASK = b" ***"
LITERALS_A_TURN = 50
"""Those that are in memory already are read without a wait: then others have their turn."""
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


class LongLine(SyntaxProblem):
    """A line beyond its limit: it was skipped, and its command with it."""

    def __init__(self, head: bytes) -> None:
        super().__init__("The line is too long")
        self.head = head


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


class IMAPSession(Session[Reader, Status]):
    protocol: ClassVar[str] = "imap"

    def __init__(self, channel: Channel, services: Services, dialect: Dialect, settings: IMAPSettings) -> None:
        super().__init__(channel, services, dialect.commands)
        self.dialect = dialect
        self.settings = settings
        self.login: Login | None = None
        self.current: Selected | None = None
        self.enabled: set[str] = set()
        """Extensions that the client has asked for, by ENABLE or by using them."""
        self.takes = Form.PLAIN
        """What the client takes beyond plain mail; with UTF8 mailbox names are in UTF-8 too."""
        self.beside_flags: tuple[IndexItem, ...] = ()
        """What is told wherever flags are told, since the client has asked for it."""
        self.after_expunge: Callable[[IMAPSession], str] | None = None
        """The response code of an EXPUNGE that took something out."""
        self.by_uid = False
        """Whether the command under way is a UID command."""
        self.flags_told: set[Uid] = set()
        """Messages whose flags were told, as others' change, since the command under way began."""
        self.changed = asyncio.Event()
        """Something is to be told: what IDLE waits for."""
        self._tag = UNTAGGED
        self._secret_ahead = False
        self._unread: Literal | None = None
        """Announced, refused, and sent all the same."""

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

    @property
    def utf8(self) -> bool:
        return bool(self.takes & Form.UTF8)

    # Reading.

    async def greet(self) -> None:
        self.write(ok(f"{self.services.host} IMAP4rev1 ready", f"CAPABILITY {self.capabilities()}").line())

    async def read(self) -> Request[Reader]:
        self._tag, self.by_uid = UNTAGGED, False
        self.flags_told.clear()
        await self._skip_unread()
        allowance = Allowance(self.services.limits.line_octets, self._literal_octets())
        try:
            line = await self._line()
        except LongLine as problem:
            self._take_tag(problem.head)
            raise
        self._take_tag(line)
        found = announced(line)
        try:
            begun = head(line)
        except SyntaxProblem:
            self.refuse_literal(found and found[1])
            raise
        self.by_uid = begun.by_uid
        return Request(begun.verb, await self._arguments(begun, line, allowance))

    async def _arguments(self, begun: Head, line: bytes, allowance: Allowance) -> Reader:
        """Take the literals that this command may have in this state; others are not even asked for."""
        command = self.commands.get(begun.verb)
        allowed = command is not None and self.state in command.states
        if begun.verb in SECRET and not may_log_in(self):
            allowed = False  # a password is refused before it is sent
        lines, literals, length = [line], dict[int, bytes](), 0
        while found := announced(line):
            start, literal = found
            is_first = len(lines) == 1 and not line[begun.end : start].strip(b" ")
            if not allowed or (command is not None and command.streams and not is_first):
                self._unread = literal if self._may_come_unasked(literal) else None
                break
            literals[length + start] = await self._take_literal(literal, allowance)
            length += len(line)
            allowance.take_line(len(line))
            line = await self._line()
            self.heard(MASK if begun.verb in SECRET else line)
            lines.append(line)
            if len(lines) % LITERALS_A_TURN == 0:
                await asyncio.sleep(0)
        allowance.take_line(len(line))
        reader = Reader(
            b"".join(lines),
            literals,
            at=begun.end,
            by_uid=begun.by_uid,
            vocabulary=self.dialect.vocabulary,
            utf8=self.utf8,
        )
        reader.announced = found[1] if found else None
        return reader

    def _take_tag(self, line: bytes) -> None:
        """What may be a password is no tag: it would be echoed."""
        shown = self._shown(line)
        self.heard(shown)
        self._tag = (tag_of(line) if shown is not MASK else None) or UNTAGGED

    async def _line(self) -> bytes:
        try:
            return await self.channel.read_line(self.services.limits.line_octets)
        except LineTooLong as problem:
            found = announced(problem.tail)
            self.refuse_literal(found and found[1])
            raise LongLine(problem.head) from None

    def _shown(self, line: bytes) -> bytes:
        """For the wire log. What is no command behind AUTHENTICATE may be a password that its client sends at the wrong moment."""
        verb = b"".join(line[:400].split(b" ", 2)[1:2]).decode("ascii", "replace").upper()
        is_known = verb == "UID" or verb in self.commands
        is_secret = self._secret_ahead and not is_known
        self._secret_ahead = verb == "AUTHENTICATE" or is_secret
        return MASK if is_secret else _masked(line)

    async def _take_literal(self, literal: Literal, allowance: Allowance) -> bytes:
        try:
            self._may_come_unasked(literal)
            allowance.take_literal(literal)
        except SyntaxProblem:
            self.refuse_literal(literal)
            raise
        if literal.synchronizing:
            await self.prompt(GO_AHEAD)
        return await self.channel.read_exactly(literal.octets)

    def _may_come_unasked(self, literal: Literal) -> bool:
        if literal.synchronizing:
            return False
        if not self.dialect.non_synchronizing:
            self.ended = True
            raise SyntaxProblem("LITERAL+ is not spoken here")
        return True

    def refuse_literal(self, literal: Literal | None) -> None:
        """What was announced with "+" comes all the same: better an end than octets taken for commands."""
        if literal is not None and not literal.synchronizing:
            self.ended = True

    def _literal_octets(self) -> int:
        return LITERAL_OCTETS_BEFORE_LOGIN if self.login is None else LITERAL_OCTETS

    async def prompt(self, line: bytes) -> None:
        """Answer in the middle of a command, and go on reading."""
        self.write(line)
        await self.channel.drain()

    async def take(self, literal: Literal, keep: Callable[[bytes], Awaitable[None]]) -> None:
        """Stream the announced literal of this command to `keep`, piece by piece."""
        self._unread = None
        if literal.synchronizing:
            await self.prompt(GO_AHEAD)
        left = literal.octets
        while left:
            piece = await self.channel.read_chunk(min(left, 64 << 10))
            left -= len(piece)
            try:
                await keep(piece)
            except Exception:  # a full disk, say: what is left of the literal must not be read as commands
                self._unread = Literal(left, synchronizing=False)
                raise
            await asyncio.sleep(0)

    async def rest_of_line(self) -> bytes:
        line = await self._line()
        self.heard(line)
        return line

    async def _skip_unread(self) -> None:
        """The octets of a refused literal that was not asked for, and the rest of its command."""
        skipped = 0
        while self._unread is not None:
            literal, self._unread = self._unread, None
            skipped += 1
            if skipped % LITERALS_A_TURN == 0:
                await asyncio.sleep(0)
            if literal.octets > self.services.limits.message_octets:
                self.ended = True
                raise SyntaxProblem("The literal is too large")
            await self.take(literal, _forget)
            following = announced(await self._line())
            if following is not None and not following[1].synchronizing:
                self._unread = following[1]

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

    @property
    def tag(self) -> bytes:
        """Of the command under way."""
        return self._tag

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


async def _forget(_: bytes) -> None:
    """Octets of a refused command."""


def _masked(line: bytes) -> bytes:
    """LOGIN's arguments and AUTHENTICATE's response are secrets, wherever in the beginning of a line they stand."""
    found = _SECRET.match(line[:400])
    return line if found is None else found[1] + MASK
