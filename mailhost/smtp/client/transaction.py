"""One transaction: MAIL, RCPT, then DATA or BDAT; each recipient has its own answer, or none when the connection broke off before it came."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, replace

from mailhost.message.form import Form
from mailhost.smtp.client import parameters
from mailhost.smtp.client.dialogue import Dialogue, Timeouts
from mailhost.smtp.client.heard import Heard, NotSMTP
from mailhost.smtp.client.hello import Abilities
from mailhost.smtp.client.outgoing import Dots, Outgoing, To
from mailhost.transport.channel import TimedOut

END_OF_CONTENT = "end of content"
"""The step at which nobody knows whether the message was taken, should the connection break off."""
GO_AHEAD = 354
EXCEEDED_STORAGE = 552
TOO_LATE = "5.4.7"
"""Delivery time expired (RFC 3463 section 3.5)."""


@dataclass(frozen=True, slots=True)
class Unfit:
    """Why this server cannot have the message, known before anything is sent."""

    status: str
    """RFC 3463."""
    reason: str


@dataclass(slots=True)
class Sent:
    """What came of one transaction."""

    answers: list[Heard | Unfit | None]
    """For each recipient, in their order; None where no answer came."""
    broken: Exception | None = None
    """Why the conversation ended before all had their answer, or cannot go on."""
    has_dsn: bool = False
    """Whether the server has taken over what the sender wants to hear (RFC 3461 section 5.2.2)."""
    keeps_time: bool = False
    """Whether it knows until when the message is of use (RFC 2852)."""


class Transaction:
    """One message over a dialogue that has said EHLO, HELO or LHLO."""

    def __init__(
        self, dialogue: Dialogue, message: Outgoing, abilities: Abilities, timeouts: Timeouts, *, lmtp: bool
    ) -> None:
        self._dialogue, self._message, self._content = dialogue, message, message.content
        self._abilities, self._timeouts, self._lmtp = abilities, timeouts, lmtp
        self._utf8 = False
        keeps_time = lmtp or "DELIVERBY" in abilities  # by LMTP it is delivered at once
        self._sent = Sent([None] * len(message.recipients), has_dsn="DSN" in abilities, keeps_time=keeps_time)
        self._asked: list[int] = []
        """The places of those whom RCPT names."""

    async def run(self) -> Sent:
        """What the server refuses is in the answers; what breaks the conversation off is in `broken`, be it our own fault."""
        try:
            async with asyncio.timeout(self._timeouts.message):
                await self._run()
        except Exception as problem:  # noqa: BLE001 - answers that came must not get lost with it
            self._dialogue.is_sound = False
            self._sent.broken = TimedOut("too slow as a whole") if type(problem) is TimeoutError else problem
        except BaseException:
            self._dialogue.is_sound = False
            raise
        return self._sent

    async def _run(self) -> None:
        await self._fit()
        if not self._asked:
            return
        binary = bool(self._content.requires & Form.BINARY)
        sender, ready = await self._envelope(chunks=binary)
        if not sender.is_good:
            if ready is not None and ready.code == GO_AHEAD:
                await self._data([])
            return
        accepted = [place for place in self._asked if self._sent.answers[place] is None]
        if binary:
            await (self._chunks(accepted) if accepted else self._reset())
        elif ready is None:
            await self._reset()
        elif ready.code == GO_AHEAD:
            await self._data(accepted)
        elif ready.is_good:
            raise NotSMTP(f"DATA was answered with {ready}")
        else:
            self._answer(accepted, ready)
            await self._reset()

    # What fits.

    async def _fit(self) -> None:
        """What the server cannot have is refused without asking it; what can be converted is."""
        has = self._abilities
        wide = Form.UTF8 if "SMTPUTF8" in has else Form.PLAIN
        for place, to in enumerate(self._message.recipients):
            self._sent.answers[place] = self._unfit_path(to, wide)
        self._asked = [place for place, answer in enumerate(self._sent.answers) if answer is None]
        if self._content.requires & Form.UTF8 & ~wide:
            self._answer(self._asked, Unfit("5.6.7", "its header is in UTF-8, and the host does not take that"))
        elif not parameters.is_safe(self._message.reverse_path):
            self._answer(self._asked, Unfit("5.1.7", "the sender's address cannot be written"))
        elif not self._message.reverse_path.isascii() and not wide:
            self._answer(
                self._asked, Unfit("5.6.7", "the sender's address is in UTF-8, and the host does not take that")
            )
        elif late := self._late():
            self._answer(self._asked, late)
        else:
            await self._convert()
            self._utf8 = bool(self._content.requires & Form.UTF8) or not all(map(str.isascii, self._paths()))
            self._check_size()
        self._asked = [place for place in self._asked if self._sent.answers[place] is None]

    def _unfit_path(self, to: To, wide: Form) -> Unfit | None:
        if not parameters.is_safe(to.path):
            return Unfit("5.1.3", "the address cannot be written")
        if not to.path.isascii() and not wide:
            return Unfit("5.6.7", "the address is in UTF-8, and the host does not take that")
        return None

    def _late(self) -> Unfit | None:
        """What is to be returned when it is late goes to nobody who could not see to that (RFC 2852 section 4)."""
        by, least = self._message.by, self._abilities.shortest_deliver_by
        if by is None or not by.returns or self._lmtp:
            return None
        if not self._sent.keeps_time:
            return Unfit(TOO_LATE, "it is to be returned when it is late, and the host does not know DELIVERBY")
        if by.seconds < max(least, 1):
            reason = (
                f"it is to be there in {by.seconds} seconds, and the host does not promise that in less than {least}"
            )
            return Unfit(TOO_LATE, reason)
        return None

    def _paths(self) -> list[str]:
        return [self._message.reverse_path, *(self._message.recipients[place].path for place in self._asked)]

    async def _convert(self) -> None:
        """Binary and 8-bit parts are encoded where the server takes none (RFC 6152 section 3, RFC 3030 section 3).

        A signature of DKIM does not outlive it. Mail that came as 8BITMIME may meet such hosts (RFC 6376 section 5.3 tells signers to
        encode before they sign), and to return it would serve nobody.
        """
        has, requires = self._abilities, self._content.requires
        binary = requires & Form.BINARY if not has.takes_binary else Form.PLAIN
        eight = requires & Form.EIGHTBIT if "8BITMIME" not in has else Form.PLAIN
        if requires & Form.BINARY and not binary:
            eight = Form.PLAIN  # BODY=BINARYMIME says it all
        if binary or eight:
            self._content = await self._content.without(binary | eight)

    def _check_size(self) -> None:
        most, octets = self._abilities.most_octets, self._content.octets
        if most and octets > most:
            reason = f"the message has {octets} octets, and the host takes {most} at most"
            self._answer(self._asked, Unfit("5.3.4", reason))

    # What is said.

    async def _envelope(self, *, chunks: bool) -> tuple[Heard, Heard | None]:
        """The replies to MAIL and to DATA; None where DATA was not said."""
        within, dialogue = self._timeouts.command, self._dialogue
        commands = [parameters.mail(self._message, self._content, self._abilities, utf8=self._utf8)]
        recipients = [self._message.recipients[place] for place in self._asked]
        commands += [parameters.rcpt(to, self._abilities, utf8=self._utf8) for to in recipients]
        pipelining = "PIPELINING" in self._abilities
        if pipelining:  # all in one packet, the replies after them (RFC 2920 section 3.1)
            await dialogue.say("MAIL", commands if chunks else [*commands, "DATA"], within)
            sender = await dialogue.hear(within)
        else:
            sender = await dialogue.ask("MAIL", commands[0], within)
        if not sender.is_good:
            self._answer(self._asked, sender)
            if not pipelining:
                return sender, None
        await self._recipients(commands[1:], pipelining=pipelining, count=sender.is_good)
        return sender, None if chunks else await self._ready(pipelining=pipelining)

    async def _recipients(self, commands: Sequence[str], *, pipelining: bool, count: bool) -> None:
        within, dialogue = self._timeouts.command, self._dialogue
        for place, command in zip(self._asked, commands, strict=True):
            dialogue.step = "RCPT"
            heard = await (dialogue.hear(within) if pipelining else dialogue.ask("RCPT", command, within))
            if count and not heard.is_good:
                self._sent.answers[place] = _of_recipient(heard)

    async def _ready(self, *, pipelining: bool) -> Heard | None:
        dialogue, within = self._dialogue, self._timeouts.data
        if pipelining:
            dialogue.step = "DATA"
            return await dialogue.hear(within)
        if all(self._sent.answers[place] is not None for place in self._asked):
            return None
        return await dialogue.ask("DATA", "DATA", within)

    async def _reset(self) -> None:
        heard = await self._dialogue.ask("RSET", "RSET", self._timeouts.command)
        if not heard.is_good:
            raise NotSMTP(f"RSET was answered with {heard}")

    # The content.

    async def _data(self, accepted: Sequence[int]) -> None:
        """Lines with their dots. Nobody was accepted, and 354 all the same: an empty content ends it (RFC 2920 section 3.1)."""
        dots, dialogue, channel = Dots(), self._dialogue, self._dialogue.channel
        self._begin("content")
        if accepted:
            async for piece in self._content.pieces():
                await self._go_on(accepted)
                dialogue.send(dots.feed(piece))
                await channel.drain()
        await self._go_on(accepted)
        dialogue.end_content(dots.end())
        dialogue.owed += len(accepted) if self._lmtp else 1
        await self._answers(accepted)

    async def _chunks(self, accepted: Sequence[int]) -> None:
        """BDAT: any octets, counted and not looked at (RFC 3030 section 2). For binary mail alone: other mail is as quick with DATA."""
        dialogue, channel = self._dialogue, self._dialogue.channel
        self._begin("content")
        async for piece, is_last in _with_last(self._content.pieces()):
            await self._go_on(accepted)
            dialogue.send_chunk(b"BDAT %d%b" % (len(piece), b" LAST" if is_last else b""), piece)
            await channel.drain()
            if is_last:
                dialogue.owed += len(accepted) if self._lmtp else 1
                await self._answers(accepted)
                return
            dialogue.owed += 1
            heard = await dialogue.hear(self._timeouts.block)
            if not heard.is_good:
                dialogue.is_sound = True
                self._answer(accepted, heard)
                await self._reset()
                return
            channel.timeout = self._timeouts.block

    def _begin(self, step: str) -> None:
        self._dialogue.step, self._dialogue.channel.timeout = step, self._timeouts.block
        self._dialogue.is_sound = False  # till the end of the content QUIT would be text

    async def _go_on(self, accepted: Sequence[int]) -> None:
        """A server that refuses in the middle has decided; one that takes a message before its end has not read it."""
        dialogue = self._dialogue
        dialogue.check_open()
        if not dialogue.channel.has_input:
            return
        dialogue.owed += 1
        heard = await dialogue.hear(self._timeouts.block)
        if not heard.is_good and heard.code >= 400:
            self._answer(accepted, heard)
        raise NotSMTP(f"a reply in the middle of the message: {heard}")

    async def _answers(self, accepted: Sequence[int]) -> None:
        """One for all recipients; in LMTP one for each, in their order (RFC 2033 section 4.2)."""
        dialogue = self._dialogue
        dialogue.step = END_OF_CONTENT
        for some in [[place] for place in accepted] if self._lmtp else [accepted]:
            heard = await dialogue.hear(self._timeouts.end)
            if 300 <= heard.code < 400:
                raise NotSMTP(f"the end of the message was answered with {heard}")
            self._answer(some, heard)
        dialogue.is_sound = True

    def _answer(self, places: Sequence[int], answer: Heard | Unfit) -> None:
        for place in places:
            self._sent.answers[place] = answer


def _of_recipient(heard: Heard) -> Heard:
    """552 to RCPT means too many recipients, as older hosts say it: to come again is of use (RFC 5321 section 4.5.3.1.10)."""
    if heard.code == EXCEEDED_STORAGE and heard.enhanced in ("", "5.5.3"):
        return replace(heard, code=452, enhanced="4.5.3")
    return heard


async def _with_last(pieces: AsyncIterator[bytes]) -> AsyncIterator[tuple[bytes, bool]]:
    held = b""
    async for piece in pieces:
        if held and piece:
            yield held, False
        held = piece or held
    yield held, True
