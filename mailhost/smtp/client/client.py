"""The dialogue of an SMTP client: greeting, EHLO, STARTTLS, a transaction, QUIT. A coroutine over a `Channel`, as the server's is."""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from mailhost.smtp.client.heard import Heard, hear
from mailhost.smtp.client.hello import Abilities, abilities
from mailhost.smtp.client.outgoing import Dots, Outgoing, To
from mailhost.transport.channel import Channel, ChannelError


@dataclass(frozen=True, slots=True)
class Timeouts:
    """Seconds for each step (RFC 5321 section 4.5.3.2)."""

    greeting: float = 300.0
    command: float = 300.0
    data: float = 120.0
    block: float = 180.0
    end: float = 600.0


class Declined(ChannelError):
    """A reply after which there is nothing to be done in this session: to the greeting, to EHLO and HELO, to STARTTLS."""

    def __init__(self, step: str, heard: Heard) -> None:
        super().__init__(f"{step}: {heard}")
        self.step, self.heard = step, heard


class PlaintextBehindTLS(ChannelError):
    """Octets came in clear behind the reply to STARTTLS: perhaps a third party's, to be taken for replies within TLS."""


@dataclass(frozen=True, slots=True)
class Sent:
    """What the server said to one transaction."""

    sender: Heard
    recipients: tuple[Heard, ...]
    """To each RCPT, in their order; empty when MAIL was refused."""
    content: Heard | None
    """To the end of the content; None when it was not sent."""

    def of(self, place: int) -> Heard:
        """The reply that decides about one recipient."""
        if not self.sender.is_good:
            return self.sender
        its = self.recipients[place]
        return its if not its.is_good or self.content is None else self.content


class Client:
    """One connection to a server."""

    def __init__(self, channel: Channel, name: str, timeouts: Timeouts = Timeouts()) -> None:
        self.channel = channel
        self.abilities = Abilities()
        self.watch: Callable[[str, bytes], Any] | None = None
        """Hears every line, with who said it: C or S."""
        self._name = name
        self._timeouts = timeouts
        self._step = "connect"

    @property
    def step(self) -> str:
        """What was under way, for whoever has to say where it failed."""
        return self._step

    async def greet(self) -> None:
        """Hear the greeting, and say EHLO; HELO where that is not known. Raises `Declined`."""
        self._begin("greeting", self._timeouts.greeting)
        greeting = await hear(self.channel)
        if greeting.code != 220:
            raise Declined("greeting", greeting)
        await self.hello()

    async def hello(self) -> None:
        """Raises `Declined`."""
        answer = await self._ask("EHLO", f"EHLO {self._name}")
        if answer.code == 250:
            self.abilities = abilities(answer)
            return
        self.abilities = Abilities()
        if not answer.is_final:
            raise Declined("EHLO", answer)
        answer = await self._ask("HELO", f"HELO {self._name}")
        if answer.code != 250:
            raise Declined("HELO", answer)

    async def start_tls(self) -> None:
        """What was said before counts no more (RFC 3207 section 4.2). Raises `Declined`, `PlaintextBehindTLS`."""
        answer = await self._ask("STARTTLS", "STARTTLS")
        if answer.code != 220:
            raise Declined("STARTTLS", answer)
        if self.channel.has_input:
            raise PlaintextBehindTLS("octets in clear behind the reply to STARTTLS")
        await self.channel.start_tls()
        await self.hello()

    async def send(self, message: Outgoing) -> Sent:
        """One transaction. What the server refuses is in the answer; the channel's errors mean that nobody knows."""
        if "PIPELINING" in self.abilities:
            sender, recipients, ready = await self._envelope_at_once(message)
        else:
            sender, recipients, ready = await self._envelope(message)
        if ready is None or ready.code != 354:
            if sender.is_good:
                await self._reset()
            decided = ready if ready is not None and any(each.is_good for each in recipients) else None
            return Sent(sender, recipients, decided)
        if not any(
            each.is_good for each in recipients
        ):  # 354 all the same: an empty content ends it (RFC 2920 section 3.1)
            return Sent(sender, recipients, await self._end(b".\r\n"))
        return Sent(sender, recipients, await self._content(message))

    async def quit(self) -> None:
        """Politely, and without waiting for long."""
        with suppress(ChannelError, ConnectionError, TimeoutError):
            self._begin("QUIT", min(self._timeouts.command, 10.0))
            self._write(b"QUIT\r\n")
            await hear(self.channel)
        self.channel.close()

    async def _envelope(self, message: Outgoing) -> tuple[Heard, tuple[Heard, ...], Heard | None]:
        sender = await self._ask("MAIL", self._mail(message))
        if not sender.is_good:
            return sender, (), None
        recipients = tuple([await self._ask("RCPT", self._rcpt(to)) for to in message.recipients])
        if not any(each.is_good for each in recipients):
            return sender, recipients, None
        self._begin("DATA", self._timeouts.data)
        return sender, recipients, await self._ask_now("DATA")

    async def _envelope_at_once(self, message: Outgoing) -> tuple[Heard, tuple[Heard, ...], Heard | None]:
        """All commands in one packet, the replies after them (RFC 2920 section 3.1)."""
        self._begin("MAIL", self._timeouts.command)
        commands = [self._mail(message), *(self._rcpt(to) for to in message.recipients), "DATA"]
        self._write("".join(f"{command}\r\n" for command in commands).encode())
        await self.channel.drain()
        sender = await self._hear()
        self._step = "RCPT"
        recipients = tuple([await self._hear() for _ in message.recipients])
        self._begin("DATA", self._timeouts.data)
        ready = await self._hear()
        return sender, recipients if sender.is_good else (), ready

    async def _content(self, message: Outgoing) -> Heard:
        self._begin("content", self._timeouts.block)
        dots = Dots()
        async for piece in message.pieces():
            self.channel.write(dots.feed(piece))
            await self.channel.drain()
        return await self._end(dots.end())

    async def _end(self, octets: bytes) -> Heard:
        self.channel.write(octets)
        self._begin("end of content", self._timeouts.end)
        return await self._hear()

    async def _reset(self) -> None:
        await self._ask("RSET", "RSET")

    def _mail(self, message: Outgoing) -> str:
        """MAIL with what the server understands of its parameters."""
        words = [f"MAIL FROM:<{message.reverse_path}>"]
        if "SIZE" in self.abilities:
            words.append(f"SIZE={message.octets}")
        if message.is_8bit and "8BITMIME" in self.abilities:
            words.append("BODY=8BITMIME")
        if message.smtputf8 and "SMTPUTF8" in self.abilities:
            words.append("SMTPUTF8")
        if "DSN" in self.abilities:
            words += [f"RET={message.ret}"] if message.ret else []
            words += [f"ENVID={message.envid}"] if message.envid else []
        return " ".join(words)

    def _rcpt(self, to: To) -> str:
        words = [f"RCPT TO:<{to.path}>"]
        if "DSN" in self.abilities:
            words += [f"NOTIFY={to.notify}"] if to.notify else []
            words += [f"ORCPT={to.original}"] if to.original else []
        return " ".join(words)

    async def _ask(self, step: str, line: str) -> Heard:
        self._begin(step, self._timeouts.command)
        return await self._ask_now(line)

    async def _ask_now(self, line: str) -> Heard:
        self._write(f"{line}\r\n".encode())
        return await self._hear()

    async def _hear(self) -> Heard:
        heard = await hear(self.channel)
        if self.watch is not None:
            self.watch("S", str(heard).encode())
        if heard.code == 421:  # the server closes (RFC 5321 section 3.8): whatever was asked
            raise Declined(self._step, heard)
        return heard

    def _write(self, octets: bytes) -> None:
        if self.watch is not None:
            self.watch("C", octets)
        self.channel.write(octets)

    def _begin(self, step: str, timeout: float) -> None:
        self._step, self.channel.timeout = step, timeout
