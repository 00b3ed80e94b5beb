"""DATA: the message itself, and the moment it becomes ours (RFC 5321 section 4.1.1.4)."""

from mailhost.delivery.accept import Accepted, AcceptRequest, accept
from mailhost.delivery.arrival import Arrival, HeaderTooLarge
from mailhost.delivery.header_filter import received, submitted
from mailhost.events.event import DATA_BLOCK, FAULT, QUEUE_ADD, STORE_ADD
from mailhost.ids import JourneyId, fresh, now, text_of
from mailhost.message.received import Hop, received_count, received_field
from mailhost.queue.values import Acceptance, State
from mailhost.smtp import replies
from mailhost.smtp.data import DataDecoder
from mailhost.smtp.grammar import Reader
from mailhost.smtp.replies import Reply
from mailhost.smtp.session import SMTPCommand, SMTPSession
from mailhost.smtp.session import State as SessionState
from mailhost.store.values import Content
from mailhost.transport.turn import TURN

DATA_CHUNK = 256 << 10
SMALL = 16 << 10
"""A piece up to this is decoded at once, in 50 us; for a larger one the loop's turn must have time left."""


def parse(reader: Reader) -> None:
    """Data = "DATA" CRLF"""
    reader.end()


async def run(session: SMTPSession, _: None) -> Reply:
    """After 354 everything up to CRLF.CRLF is read, whatever becomes of it; 250 means committed and synced."""
    message = Incoming(session)
    session.write(bytes(replies.GO_AHEAD))
    try:
        refusal = await message.read()
        if refusal is not None:
            return refusal
        return await message.accept()
    finally:
        await message.discard()
        session.reset()


class Incoming:
    """One message between 354 and its reply."""

    def __init__(self, session: SMTPSession) -> None:
        self._session = session
        self.journey = JourneyId(fresh())
        self._at = now()
        self._hops = 0
        self._arrival: Arrival | None = Arrival(
            session.services.blobs, self._filter, session.settings.scan, session.settings.header_octets
        )

    async def read(self) -> Reply | None:
        """Take all of it; answers with a refusal where it cannot be kept."""
        session = self._session
        decoder = DataDecoder(normalise=session.settings.normalise_newlines)
        timeout, session.channel.timeout = session.channel.timeout, session.settings.data_timeout
        refusal: Reply | None = None
        octets = 0
        try:
            while decoder.rest is None:
                data = await session.channel.read_chunk(DATA_CHUNK)
                if len(data) > SMALL:
                    await TURN.take()
                data = decoder.feed(data)
                octets += len(data)
                if session.services.events.lines and data:
                    session.publish(DATA_BLOCK, journey=self.journey, direction="C", octets=data)
                refusal = refusal or self._refusal(decoder, octets) or await self._keep(data)
        finally:
            session.channel.timeout = timeout
        session.channel.unread(decoder.rest)
        return refusal

    async def accept(self) -> Reply:
        assert self._arrival is not None
        content = await self._arrival.finish()
        if self._hops > self._session.settings.most_hops:
            return replies.LOOP
        arrival, self._arrival = self._arrival, None  # the transaction's; the sweeper finds what it leaves
        request = AcceptRequest(self._acceptance(content), content, tuple(self._session.envelope.recipients))
        try:
            accepted = await self._session.services.database.write(accept, request)
        finally:
            await arrival.release()
        self._tell(accepted, request.acceptance.size)
        return replies.OK.saying(f"Accepted as {text_of(self.journey)}")

    async def discard(self) -> None:
        if self._arrival is not None:
            await self._arrival.discard()

    async def _keep(self, data: bytes) -> Reply | None:
        assert self._arrival is not None
        try:
            await self._arrival.write(data)
        except HeaderTooLarge:
            return replies.HEADER_TOO_LARGE
        except Exception as fault:  # noqa: BLE001 - a full disk, say: what is left of the message must not be read as commands
            self._session.publish(FAULT, journey=self.journey, cause=f"DATA: {fault!r}", data={"exception": fault})
            return replies.UNAVAILABLE
        return None

    def _refusal(self, decoder: DataDecoder, octets: int) -> Reply | None:
        if octets > self._session.settings.message_octets:
            return replies.MESSAGE_TOO_LARGE
        if decoder.nul:
            return replies.NUL_IN_MESSAGE
        if decoder.bare_newlines:
            return replies.BARE_NEWLINE
        return None

    def _filter(self, header: bytes) -> bytes:
        self._hops = received_count(header)
        host = self._session.services.host
        if self._session.settings.submission:
            return submitted(header, host, self.journey, self._at)
        return received(header, host)

    def _acceptance(self, content: Content) -> Acceptance:
        session = self._session
        envelope, peer = session.envelope, session.channel.peer
        prefix = self._received()
        return Acceptance(
            journey=self.journey,
            at=self._at,
            peer=peer.address,
            helo=session.helo,
            login=session.login.account if session.login else None,
            reverse_path=""
            if envelope.reverse_path is None
            else f"{envelope.reverse_path.local}@{envelope.reverse_path.domain}",
            blob=content.blob.id,
            prefix=prefix,
            size=len(prefix) + content.blob.size,
            body=envelope.body,
        )

    def _received(self) -> bytes:
        """The recipient is named only where there is one, or others would learn of it (RFC 5321 section 7.2)."""
        session = self._session
        protocol = "SMTP"
        if session.extended:
            protocol = "ESMTP" + "S" * session.encrypted + "A" * (session.login is not None)
        hop = Hop(
            session.helo,
            None,
            session.channel.peer.address,
            session.services.host,
            protocol,
            text_of(self.journey),
            self._at,
        )
        only = session.envelope.recipients[0].path if len(session.envelope.recipients) == 1 else None
        return received_field(hop, only)

    def _tell(self, accepted: Accepted, size: int) -> None:
        for row in accepted.deliveries:
            kind = STORE_ADD if row.state is State.STORED else QUEUE_ADD
            self._session.publish(
                kind,
                journey=self.journey,
                data={"recipient": row.recipient, "state": row.state.name.lower(), "uid": row.uid, "octets": size},
            )


DATA = SMTPCommand("DATA", frozenset({SessionState.RECIPIENTS}), parse, run, rfc=5321)
