"""How an IMAP session reads: a command with its literals, bounded before they are taken; what is refused is skipped, never run."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from mailhost.conversation.command import Command, SyntaxProblem
from mailhost.conversation.login import may_log_in
from mailhost.conversation.secrets import MASK, LoginWatch
from mailhost.conversation.secrets import masked as words_masked
from mailhost.conversation.services import Services
from mailhost.conversation.session import Request, Session
from mailhost.ids import Uid
from mailhost.imap.grammar import Head, Reader, Vocabulary, head, tag_of
from mailhost.imap.literal import LITERAL_OCTETS, LITERAL_OCTETS_BEFORE_LOGIN, Allowance, announced
from mailhost.imap.responses import GO_AHEAD, UNTAGGED, Status
from mailhost.imap.secrets import SECRET, masked, unknown_masked, verb_of
from mailhost.imap.values import Literal
from mailhost.message.form import Form
from mailhost.transport.channel import Channel, LineTooLong
from mailhost.users.values import Login

LITERALS_A_TURN = 50
"""Those that are in memory already are read without a wait: then others have their turn."""


class LongLine(SyntaxProblem):
    """A line beyond its limit: it was skipped, and its command with it."""

    def __init__(self, head: bytes) -> None:
        super().__init__("The line is too long")
        self.head = head


class ReadingSession(Session[Reader, Status]):
    """The half of `IMAPSession` that reads."""

    def __init__(
        self,
        channel: Channel,
        services: Services,
        commands: Mapping[str, Command[Any, Reader, Status]],
        vocabulary: Vocabulary,
        non_synchronizing: bool,
    ) -> None:
        super().__init__(channel, services, commands)
        self.login: Login | None = None
        self.takes = Form.PLAIN
        """What the client takes beyond plain mail; with UTF8 mailbox names are in UTF-8 too."""
        self.by_uid = False
        """Whether the command under way is a UID command."""
        self.flags_told: set[Uid] = set()
        """Messages whose flags were told, as others' change, since the command under way began."""
        self._vocabulary = vocabulary
        self._non_synchronizing = non_synchronizing
        self._tag = UNTAGGED
        self._secret_ahead = False
        self._logins = LoginWatch()
        self._is_unsure = False
        """Whether the line read last may be a password."""
        self._unread: Literal | None = None
        """Announced, refused, and sent all the same."""

    @property
    def utf8(self) -> bool:
        return bool(self.takes & Form.UTF8)

    @property
    def tag(self) -> bytes:
        """Of the command under way."""
        return self._tag

    async def read(self) -> Request[Reader]:
        self._tag, self.by_uid = UNTAGGED, False
        self.flags_told.clear()
        await self._skip_unread()
        allowance = Allowance(self.services.limits.line_octets, self._literal_octets())
        try:
            line = await self._line()
        except LongLine as problem:
            self._take_tag(problem.head, cut=True)
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
            literals[length + start] = octets = await self._take_literal(literal, allowance)
            self._heard_further(octets, secret=begun.verb in SECRET)
            length += len(line)
            allowance.take_line(len(line))
            line = await self._further_line(secret=begun.verb in SECRET)
            lines.append(line)
            if len(lines) % LITERALS_A_TURN == 0:
                await asyncio.sleep(0)
        allowance.take_line(len(line))
        reader = Reader(
            b"".join(lines),
            literals,
            at=begun.end,
            by_uid=begun.by_uid,
            vocabulary=self._vocabulary,
            utf8=self.utf8,
        )
        reader.announced = found[1] if found else None
        return reader

    def _take_tag(self, line: bytes, *, cut: bool = False) -> None:
        """What may be a password is no tag: it would be echoed."""
        is_secret = self._is_response(line)
        if self.services.events.lines:
            self.heard(MASK if is_secret else self._shown(line), cut=cut)
        self._tag = (None if is_secret else tag_of(line)) or UNTAGGED

    async def _line(self) -> bytes:
        try:
            return await self.channel.read_line(self.services.limits.line_octets)
        except LineTooLong as problem:
            found = announced(problem.tail)
            self.refuse_literal(found and found[1])
            raise LongLine(problem.head) from None

    def _is_response(self, line: bytes) -> bool:
        """What is no command behind AUTHENTICATE may be a password that its client sends at the wrong moment, and so may be a
        word alone behind any login that failed.
        """
        verb = verb_of(line)
        is_known = self._knows(verb)
        self._is_unsure = self._logins.may_be_secret(
            known=is_known, login=verb in SECRET, logged_in=self.login is not None
        )
        is_response = self._secret_ahead and not is_known
        self._secret_ahead = verb == "AUTHENTICATE" or is_response
        return is_response or (self._is_unsure and not verb and self.login is None)

    def _shown(self, line: bytes) -> bytes:
        """For the wire log: what is no command has its tag shown, and its verb unless a login was tried."""
        if self._is_unsure:
            return unknown_masked(line)
        secretive = masked(line)
        is_known = secretive != line or self._knows(verb_of(line))
        return secretive if is_known else words_masked(line, words=2)

    def _knows(self, verb: str) -> bool:
        return verb == "UID" or verb in self.commands

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
        if not self._non_synchronizing:
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
        """Stream the announced literal of this command, a message, to `keep`, piece by piece."""
        await self._stream(literal, keep, lambda piece: self.passed("C", piece))

    async def _stream(
        self, literal: Literal, keep: Callable[[bytes], Awaitable[None]], show: Callable[[bytes], None]
    ) -> None:
        self._unread = None
        if literal.synchronizing:
            await self.prompt(GO_AHEAD)
        left = literal.octets
        while left:
            piece = await self.channel.read_chunk(min(left, 64 << 10))
            left -= len(piece)
            show(piece)
            try:
                await keep(piece)
            except Exception:  # a full disk, say: what is left of the literal must not be read as commands
                self._unread = Literal(left, synchronizing=False)
                raise
            await asyncio.sleep(0)

    async def rest_of_line(self) -> bytes:
        return await self._further_line()

    async def _further_line(self, *, secret: bool = False) -> bytes:
        """A command's line behind a literal."""
        try:
            line = await self._line()
        except LongLine as problem:
            self.heard(MASK if secret else problem.head, cut=True)
            raise
        self._heard_further(line, secret=secret)
        return line

    def _heard_further(self, octets: bytes, *, secret: bool = False) -> None:
        """A literal of a command, or its line behind one; the end of a line alone says nothing."""
        if octets and self.services.events.lines:
            self.heard(MASK if secret else masked(octets))

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
            await self._stream(literal, _forget, lambda piece: self.passed_unseen(len(piece)))
            following = announced(await self._further_line(secret=True))
            if following is not None and not following[1].synchronizing:
                self._unread = following[1]


async def _forget(_: bytes) -> None:
    """Octets of a refused command."""
