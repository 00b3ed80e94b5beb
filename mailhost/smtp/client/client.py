"""The dialogue of an SMTP client: greeting, EHLO, STARTTLS, AUTH, transactions, QUIT. A coroutine over a `Channel`, as the server's is."""

from contextlib import suppress

from mailhost.smtp.client.dialogue import Declined, Dialogue, Timeouts
from mailhost.smtp.client.heard import Heard
from mailhost.smtp.client.hello import Abilities, abilities
from mailhost.smtp.client.login import Account, log_in
from mailhost.smtp.client.outgoing import Outgoing
from mailhost.smtp.client.transaction import Sent, Transaction
from mailhost.transport.channel import Channel, ChannelError

LONGEST_GOODBYE = 10.0
"""Seconds for the reply to QUIT."""


class PlaintextBehindTLS(ChannelError):
    """Octets came in clear behind the reply to STARTTLS: perhaps a third party's, to be taken for replies within TLS."""


class Client:
    """One connection to a server."""

    def __init__(
        self,
        channel: Channel,
        name: str,
        timeouts: Timeouts = Timeouts(),
        *,
        lmtp: bool = False,
        extended: bool = True,
    ) -> None:
        """`extended=False` says HELO at once: for a server that hung up at EHLO."""
        self.channel = channel
        self.dialogue = Dialogue(channel)
        self.abilities = Abilities()
        self._name = name
        self._timeouts = timeouts
        self._lmtp = lmtp
        self._extended = extended
        self._transactions = 0

    @property
    def step(self) -> str:
        """What was under way, for whoever has to say where it failed."""
        return self.dialogue.step

    @property
    def is_spent(self) -> bool:
        """Between messages: whether the server takes no further one over this connection (RFC 9422 section 4.1). What it says unasked is good-bye."""
        most = self.abilities.most_transactions
        return (
            not self.dialogue.is_sound
            or self.channel.is_over
            or self.channel.has_input
            or bool(most and self._transactions >= most)
        )

    async def greet(self) -> None:
        """Hear the greeting, and say EHLO; HELO where that is not known. Raises `Declined`."""
        self.dialogue.step, self.dialogue.owed = "greeting", 1
        greeting = await self.dialogue.hear(self._timeouts.greeting)
        if greeting.code != 220:
            raise Declined("greeting", greeting)
        await self.hello()

    async def hello(self) -> None:
        """Raises `Declined`."""
        self.abilities = Abilities()
        if self._extended:
            verb = "LHLO" if self._lmtp else "EHLO"
            answer = await self._ask(verb, f"{verb} {self._name}")
            if answer.code == 250:
                self.abilities = abilities(answer)
                return
            if self._lmtp or not answer.is_final:
                raise Declined(verb, answer)
        answer = await self._ask("HELO", f"HELO {self._name}")
        if answer.code != 250:
            raise Declined("HELO", answer)

    async def start_tls(self) -> None:
        """What was said before counts no more (RFC 3207 section 4.2). Raises `Declined`, `PlaintextBehindTLS`."""
        answer = await self._ask("STARTTLS", "STARTTLS")
        if answer.code != 220:
            raise Declined("STARTTLS", answer)
        if self.channel.has_input:
            self.dialogue.is_sound = False
            raise PlaintextBehindTLS("octets in clear behind the reply to STARTTLS")
        self.abilities = Abilities()
        self.channel.timeout = self._timeouts.command
        await self.channel.start_tls()
        await self.hello()

    async def log_in(self, account: Account) -> None:
        """Raises `LoginFailed`, `Declined`."""
        await log_in(self.dialogue, self.abilities, account, self._timeouts.command)

    async def send(self, message: Outgoing) -> Sent:
        """One transaction. What breaks the connection off is in the answer, too."""
        self._transactions += 1
        return await Transaction(self.dialogue, message, self.abilities, self._timeouts, lmtp=self._lmtp).run()

    async def quit(self) -> None:
        """Politely, and without waiting for long; at once where it would not be understood."""
        if not self.dialogue.is_sound or self.channel.closed:
            self.channel.abort()
            return
        with suppress(ChannelError, OSError):
            await self.dialogue.ask("QUIT", "QUIT", min(self._timeouts.command, LONGEST_GOODBYE))
        self.channel.close()

    async def _ask(self, step: str, line: str) -> Heard:
        return await self.dialogue.ask(step, line, self._timeouts.command)
