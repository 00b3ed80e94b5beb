"""One message between its first octet and its reply, whether it comes by DATA or by BDAT."""

import asyncio

from mailhost.delivery.accept import Accepted, AcceptRequest, accept
from mailhost.delivery.arrival import Arrival, HeaderTooLarge
from mailhost.delivery.header_filter import received, submitted
from mailhost.events.event import FAULT, QUEUE_ADD, STORE_ADD
from mailhost.ids import JourneyId, fresh, now, text_of
from mailhost.message.newlines import has_bare_newline
from mailhost.message.received import Hop, received_count, received_field, visits
from mailhost.message.summary import message_id_of, subject_of
from mailhost.queue.values import Acceptance, State
from mailhost.smtp import replies
from mailhost.smtp.authors import Authors, foreign_author
from mailhost.smtp.data import Decoder
from mailhost.smtp.pace import Pace
from mailhost.smtp.replies import Reply
from mailhost.smtp.session import SMTPSession
from mailhost.store.values import Content
from mailhost.transport.turn import TURN

PIECE = 256 << 10
SMALL = 16 << 10
"""A piece up to this is decoded at once, in 50 us; for a larger one the loop's turn must have time left."""


class Incoming:
    """Takes the octets as they come, and makes the message ours at the end; `discard` undoes the rest."""

    def __init__(self, session: SMTPSession, decoder: Decoder) -> None:
        self._session = session
        self._decoder = decoder
        self.journey = JourneyId(fresh())
        self._at = now()
        self._pace = Pace(session.settings)
        self._octets = 0
        self._hops = 0
        self._visits = 0
        self._authors = Authors()
        self._header_is_binary = False
        self.refusal: Reply | None = None
        """Why it cannot be kept; what still comes of it is thrown away."""
        self._arrival: Arrival | None = Arrival(
            session.services.blobs,
            self._filter,
            session.services.scan,
            session.settings.header_octets,
            smtputf8=session.envelope.smtputf8,
            binary=session.envelope.is_binary,
        )

    async def read(self, most: int = PIECE) -> bytes:
        """The next octets from the client. Raises `TimedOut`."""
        data = await self._pace.read(self._session.channel, most)
        if len(data) > SMALL:
            await TURN.take()
        return data

    async def take(self, data: bytes) -> None:
        """Keep what the octets mean, or find out why not."""
        start, content = self._octets, self._decoder.feed(data)
        if self._session.services.events.lines:
            self._show(data, start)
        await self._take(content)

    def _show(self, data: bytes, start: int) -> None:
        """As they came; the dot that ends DATA is a line of its own, and what follows it is none of it."""
        session = self._session
        session.passed("C", self._decoder.as_sent(data), start=start)
        if self._decoder.rest is not None:
            session.heard(b".")

    def expect(self, octets: int) -> None:
        """So many more are announced: what will be too large is refused before it is kept."""
        if self._octets + octets > self._session.settings.message_octets:
            self.refusal = self.refusal or replies.MESSAGE_TOO_LARGE

    async def accept(self) -> Reply:
        """All has come: 250 means committed and synced."""
        if held_back := self._decoder.end():
            await self._take(held_back)
        if self.refusal is not None:
            return self.refusal
        assert self._arrival is not None
        content = await self._arrival.finish()
        refusal = await self._header_problem()
        if refusal is not None:
            return refusal
        arrival, self._arrival = self._arrival, None  # the transaction's; the sweeper finds what it leaves
        request = AcceptRequest(self._acceptance(content), content, tuple(self._session.envelope.recipients))
        try:
            accepted = await self._committed(request)
        finally:
            await arrival.release()
        self._session.idle_commands = 0
        self._tell(accepted, request.acceptance)
        return self._accepted()

    def _accepted(self) -> Reply:
        envelope, said = self._session.envelope, f"Accepted as {text_of(self.journey)}"
        if envelope.priority_is_changed:
            return replies.PRIORITY_CHANGED.saying(f"{envelope.priority} is the new priority. {said}")
        return replies.OK.saying(said)

    async def _committed(self, request: AcceptRequest) -> Accepted:
        """Who is cut off in the middle of a commit would send the message again: it ends whole, and its client is told."""
        commit = asyncio.ensure_future(self._session.services.database.write(accept, request))
        try:
            return await asyncio.shield(commit)
        except asyncio.CancelledError:
            self._session.ended = True
            return await commit

    async def discard(self) -> None:
        arrival, self._arrival = self._arrival, None
        if arrival is not None:
            await arrival.discard()

    async def _take(self, octets: bytes) -> None:
        self._octets += len(octets)
        self.refusal = self.refusal or self._problem() or await self._keep(octets)

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

    def _problem(self) -> Reply | None:
        if self._octets > self._session.settings.message_octets:
            return replies.MESSAGE_TOO_LARGE
        if self._decoder.nul:
            return replies.NUL_IN_MESSAGE
        if self._decoder.bare_newlines:
            return replies.BARE_NEWLINE
        return None

    async def _header_problem(self) -> Reply | None:
        if self._hops > self._session.settings.most_hops:
            return replies.LOOP
        if self._visits > self._session.settings.most_visits:
            return replies.COMES_BACK
        if self._header_is_binary:
            return replies.BINARY_HEADER
        if self._session.login is None:
            return None
        problem = await foreign_author(self._session.services.database, self._session.login, self._authors)
        return replies.NOT_THE_AUTHOR.saying(problem) if problem else None

    def _filter(self, header: bytes) -> bytes:
        """Also where the header is looked at, once; of a large one in a thread."""
        self._hops = received_count(header)
        self._visits = visits(header, self._session.services.host) if self._hops else 0
        if self._session.envelope.is_binary:
            self._header_is_binary = has_bare_newline(header) or b"\0" in header
        host = self._session.services.host
        if self._session.settings.submission:
            self._authors = Authors.of(header)
            return submitted(header, host, self.journey, self._at)
        if self._session.network is not None and not self._hops:
            # A printer's mail begins here, and gets what it lacks (RFC 5321 section 6.4, RFC 6409 section 8); that of a host
            # which passes on what has come to it stays as it is.
            return submitted(header, host, self.journey, self._at)
        return received(header, host)

    def _acceptance(self, content: Content) -> Acceptance:
        session = self._session
        envelope, peer = session.envelope, session.channel.peer
        prefix = self._received()
        return Acceptance(
            journey=self.journey,
            at=now(),  # not when its first octet came: a slow sender takes minutes
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
            smtputf8=envelope.smtputf8,
            envid=envelope.envid,
            ret=envelope.ret,
            release_at=envelope.release_at,
            subject=subject_of(content.structure.header_cache),
            message_id=message_id_of(content.structure.message_id),
            deliver_by=envelope.deliver_by,
            by_mode=envelope.by_mode,
            priority=envelope.priority or 0,
        )

    def _received(self) -> bytes:
        """The recipient is named only where there is one, or others would learn of it (RFC 5321 section 7.2)."""
        session = self._session
        hop = Hop(
            session.helo,
            None,
            session.channel.peer.address,
            session.services.host,
            self._protocol(),
            text_of(self.journey),
            self._at,
            session.envelope.priority,
        )
        only = session.envelope.recipients[0].path if len(session.envelope.recipients) == 1 else None
        return received_field(hop, only)

    def _protocol(self) -> str:
        """The WITH clause (RFC 3848; RFC 6531 section 4.3)."""
        session = self._session
        if not session.extended:
            return "SMTP"
        name = "UTF8SMTP" if session.envelope.smtputf8 else "ESMTP"
        return name + "S" * session.encrypted + "A" * (session.login is not None)

    def _tell(self, accepted: Accepted, acceptance: Acceptance) -> None:
        for row in accepted.deliveries:
            kind = STORE_ADD if row.state is State.STORED else QUEUE_ADD
            data: dict[str, object] = {
                "sender": acceptance.reverse_path,
                "recipient": row.recipient,
                "state": row.state.name.lower(),
            }
            data |= {} if row.uid is None else {"uid": row.uid}
            data |= {} if self._session.network is None else {"network": str(self._session.network)}
            self._session.publish(kind, journey=self.journey, data=data | {"octets": acceptance.size})
