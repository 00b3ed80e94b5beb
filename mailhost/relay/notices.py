"""The sender hears what became of its message: which notices follow from a try, made and committed together with it.

Never to the null reverse-path, never about mail that is a report itself, and no more than so many an hour to one sender: what
cannot be told stays in the ledger, and the log says so.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta

from mailhost.database.database import Database
from mailhost.database.errors import CommitFailed
from mailhost.delivery.accept import Accepted, AcceptRequest, address_of
from mailhost.delivery.arrival import Arrival
from mailhost.delivery.directory import Directory
from mailhost.delivery.route import Recipient, RecipientUnknown
from mailhost.events.event import FAULT, NOTICE_WITHHELD, QUEUE_ADD, STORE_ADD, Events
from mailhost.ids import DeliveryId, JourneyId, Millis, fresh, now, text_of
from mailhost.message.address import Address
from mailhost.message.budget import Limits
from mailhost.message.report import Action, Report, Reported, Returned, report
from mailhost.message.summary import subject_of
from mailhost.queue import told
from mailhost.queue.claims import Result
from mailhost.queue.values import Acceptance, Delivery, State
from mailhost.relay import deadline, notice_text, wishes
from mailhost.relay.finish import Notice, finish
from mailhost.relay.gathering import Gathering
from mailhost.relay.notice_text import About, languages
from mailhost.relay.pace import Pace
from mailhost.relay.returned import is_report, returned
from mailhost.relay.schedule import Schedule
from mailhost.relay.wishes import Happened, Kind
from mailhost.store.octets import BlobStore
from mailhost.trace.values import Entry

HEADER_OCTETS = 64 << 10
"""Of a notice's own header, which has a few lines."""
MOST_TOGETHER = 10_000
"""Recipients of one notice."""


@dataclass(frozen=True, slots=True)
class NoticeSettings:
    host: str
    """The name of this server, which reports."""
    most_returned: int = 256 << 10
    """Octets of a message that comes back whole, where its sender asked for that (RET=FULL)."""
    most_an_hour: int = 100
    """To one sender."""


@dataclass(frozen=True, slots=True)
class Made:
    """A notice whose octets rest, and have no row yet."""

    notice: Notice
    arrival: Arrival


@dataclass(frozen=True, slots=True)
class AllMade:
    """What follows from one step."""

    notices: tuple[Made, ...]
    withheld: tuple[DeliveryId, ...]
    """Failures of which nobody is to hear."""


@dataclass(frozen=True, slots=True)
class Reader:
    """Who is to read a notice, of which message."""

    accepted: Acceptance
    recipient: Recipient
    returned: Returned | None

    @property
    def header(self) -> bytes:
        return self.returned.octets if self.returned else b""

    @property
    def takes_utf8(self) -> bool:
        """Whoever wrote by SMTPUTF8; and our own users: surrogates stand in where a client does not know it."""
        return self.accepted.smtputf8 or self.recipient.is_local


class Notices:
    """Settles what tries come to."""

    def __init__(
        self,
        database: Database,
        blobs: BlobStore,
        directory: Directory,
        events: Events,
        schedule: Schedule,
        settings: NoticeSettings,
        limits: Limits = Limits(),
        gathering: Gathering | None = None,
    ) -> None:
        """Without `gathering` each failure is told at once."""
        self._database, self._blobs, self._directory, self._events = database, blobs, directory, events
        self.schedule, self._settings, self._limits = schedule, settings, limits
        self._gathering = gathering
        self._pace = Pace(settings.most_an_hour, timedelta(hours=1))

    async def settle(
        self,
        accepted: Acceptance,
        deliveries: Sequence[Delivery],
        results: Sequence[Result],
        acts: Sequence[Entry] = (),
    ) -> None:
        """The results of one message and the notices that follow from them are one commit, with what is written in the trace of them.

        Failures that others will follow soon are told later: the ledger knows that they are to be told.
        """
        happened = wishes.ended(deliveries, results) if accepted.reverse_path else {}
        is_later = Kind.FAILED in happened and await self._is_later(accepted.journey, results)
        if is_later:
            del happened[Kind.FAILED]
        made = await self._after(accepted, deliveries, results, happened)
        went = await self._commit(accepted, results, made, acts)
        if self._gathering is None:
            if not went:
                await self.settle_failed(accepted.journey)
        elif is_later or not went or self._gathering.holds(accepted.journey):
            is_last = not await self._is_under_way(accepted.journey, ())
            self._gathering.add(accepted.journey, is_last=is_last)

    async def settle_failed(self, journey: JourneyId) -> None:
        """What has failed of a message, and its sender has not heard of; the ledger tells."""
        while (found := await self._database.read(told.failed, journey, MOST_TOGETHER)) is not None:
            accepted, rows = found
            made = await self._all_made(accepted, {Kind.FAILED: wishes.failed_before(rows)}, {})
            if not (made.notices or made.withheld) or not await self._commit(accepted, (), made):
                return
            if len(rows) < MOST_TOGETHER:
                return

    async def _is_later(self, journey: JourneyId, results: Sequence[Result]) -> bool:
        """Whether failures are gathered with others."""
        gathering = self._gathering
        if gathering is None:
            return False
        if gathering.holds(journey) or gathering.is_early(journey):
            return True
        return await self._is_under_way(journey, [each.delivery for each in results])

    async def _is_under_way(self, journey: JourneyId, besides: Sequence[DeliveryId]) -> bool:
        return await self._database.read(told.is_under_way, journey, besides, now())

    def follow(self, accepted: Acceptance, deliveries: Sequence[Delivery], results: Sequence[Result]) -> bool:
        """Whether anybody is to hear of these results."""
        if not accepted.reverse_path:
            return False
        return bool(wishes.ended(deliveries, results)) or wishes.is_late(deliveries, results, self._late_from(accepted))

    async def settle_here(self, done: told.DoneHere) -> None:
        """What ended at this server, for a sender who asked to hear of it (RFC 3461 section 5.2.3)."""
        ids = tuple(each.id for each in done.deliveries)
        happened = wishes.done_here(done.deliveries, done.children)
        made = await self._all_made(done.acceptance, {Kind.DONE: happened} if happened else {}, {Kind.DONE: ids})
        if made.notices:
            await self._commit(done.acceptance, (), made)
        else:
            await self._database.write(told.tell, ids, now())

    async def settle_late(self, accepted: Acceptance) -> None:
        """The time is over after which its sender wants to hear that it is on its way still (RFC 2852 section 4); once."""
        rows = await self._database.read(told.waiting, accepted.journey)
        ids = tuple(each.id for each in rows)
        late = wishes.late(rows, (), untried=deadline.LATE)
        made = await self._all_made(accepted, {Kind.DELAYED: late} if late else {}, {Kind.DELAYED: ids})
        if made.notices:
            await self._commit(accepted, (), made)
        else:
            await self._database.write(told.tell, ids, now())

    async def _after(
        self,
        accepted: Acceptance,
        deliveries: Sequence[Delivery],
        results: Sequence[Result],
        happened: dict[Kind, list[Happened]],
    ) -> AllMade:
        """The notices that follow from some results of one message: one for all that failed, one for all that is late, one for all that is done."""
        ids: dict[Kind, tuple[DeliveryId, ...]] = {}
        if accepted.reverse_path and wishes.is_late(deliveries, results, self._late_from(accepted)):
            rows = await self._database.read(told.waiting_elsewhere, accepted.journey)
            if late := wishes.late(rows, results):
                happened[Kind.DELAYED] = late
                ids[Kind.DELAYED] = tuple(each.id for each in rows)
        return await self._all_made(accepted, happened, ids)

    def _late_from(self, accepted: Acceptance) -> Millis:
        late = Millis((accepted.release_at or accepted.at) + self.schedule.warn // timedelta(milliseconds=1))
        asked = deadline.tells_when(accepted)
        return late if asked is None else min(late, asked)

    async def _commit(
        self, accepted: Acceptance, results: Sequence[Result], made: AllMade, acts: Sequence[Entry] = ()
    ) -> bool:
        """Answers with whether every notice went out: one that came too late does not."""
        try:
            notices = [each.notice for each in made.notices]
            answers = await self._database.write(finish, results, notices, made.withheld, acts)
            for each, answer in zip(made.notices, answers, strict=True):
                if answer is None:
                    await each.arrival.discard()
                else:
                    self._tell(accepted, each.notice, answer)
                    if each.notice.kind is Kind.FAILED and self._gathering is not None:
                        self._gathering.tells(accepted.journey)
            return None not in answers
        finally:
            for each in made.notices:
                await each.arrival.release()

    async def _all_made(
        self,
        accepted: Acceptance,
        happened: Mapping[Kind, Sequence[Happened]],
        ids: Mapping[Kind, tuple[DeliveryId, ...]],
    ) -> AllMade:
        """Whatever goes wrong here must not keep a result from the ledger: a message would be sent twice."""
        made, withheld = list[Made](), tuple[DeliveryId, ...]()
        for kind, some in happened.items():
            try:
                if (reader := await self._reader(accepted, kind)) is not None:
                    made.append(await self._make(reader, kind, some, ids.get(kind, ())))
                elif kind is Kind.FAILED:
                    withheld = tuple(each.delivery.id for each in some)
            except CommitFailed:
                raise
            except Exception as fault:  # noqa: BLE001
                self._events.publish(
                    FAULT, journey=accepted.journey, cause=f"notice: {fault!r}", data={"exception": fault}
                )
        return AllMade(tuple(made), withheld)

    async def _reader(self, accepted: Acceptance, kind: Kind) -> Reader | None:
        """None when nobody is to hear of it."""
        local, _, domain = accepted.reverse_path.rpartition("@")
        if not local:
            return None
        cause, back, recipient = "", await self._returned(accepted, kind), None
        try:
            recipient = await self._directory.route(local, domain)
        except RecipientUnknown:
            cause = "its sender is no longer here"
        if back is not None and is_report(back.octets):
            cause = "it is a report itself"
        elif recipient is not None and not self._pace.allows(accepted.reverse_path, now()):
            cause = "its sender has had too many notices within an hour"
        if recipient is None or cause:
            self._withhold(accepted, kind, cause)
            return None
        return Reader(accepted, recipient, back)

    def _withhold(self, accepted: Acceptance, kind: Kind, cause: str) -> None:
        self._events.publish(
            NOTICE_WITHHELD,
            journey=accepted.journey,
            cause=cause,
            data={"sender": accepted.reverse_path, "notice": kind.name.lower()},
        )

    async def _returned(self, accepted: Acceptance, kind: Kind) -> Returned | None:
        """All of it only with a failure (RFC 3461 section 4.3). A notice goes out, too, of a message that cannot be read any more."""
        is_wanted = accepted.ret == "FULL" and kind is Kind.FAILED
        try:
            return await returned(self._blobs, accepted, self._settings.most_returned if is_wanted else -1)
        except CommitFailed:
            raise
        except Exception as fault:  # noqa: BLE001
            self._events.publish(FAULT, journey=accepted.journey, cause=f"notice: {fault!r}", data={"exception": fault})
            return None

    async def _make(self, reader: Reader, kind: Kind, happened: Sequence[Happened], ids: Sequence[DeliveryId]) -> Made:
        journey, at = JourneyId(fresh()), now()
        its_domain = reader.accepted.reverse_path.rpartition("@")[2]
        postmaster = Address("postmaster", await self._directory.postmaster_of(its_domain, self._settings.host))
        notice = await self._blobs.in_thread(  # 100 ms with a thousand recipients
            lambda: report(self._report(reader, kind, happened, (journey, at), postmaster))
        )
        arrival = Arrival(self._blobs, lambda header: header, self._limits, HEADER_OCTETS, smtputf8=notice.is_utf8)
        try:
            await arrival.write(notice.octets)
            content = await arrival.finish()
        except BaseException:
            await arrival.discard()
            raise
        acceptance = Acceptance(
            journey=journey,
            at=at,
            peer="",
            helo="",
            login=None,
            reverse_path="",
            blob=content.blob.id,
            prefix=b"",
            size=content.blob.size,
            body="8BITMIME" if notice.is_8bit else "7BIT",
            smtputf8=notice.is_utf8,
            subject=subject_of(content.structure.header_cache),
            message_id=self._message_id(journey),
            priority=reader.accepted.priority,  # RFC 6710 section 4.6
        )
        request = AcceptRequest(acceptance, content, (reader.recipient,))
        about = tuple(each.delivery.id for each in happened)
        its = reader.accepted
        return Made(Notice(request, kind, its.journey, its.reverse_path, about, tuple(ids)), arrival)

    def _report(
        self,
        reader: Reader,
        kind: Kind,
        happened: Sequence[Happened],
        its: tuple[JourneyId, Millis],
        postmaster: Address,
    ) -> Report:
        accepted, settings = reader.accepted, self._settings
        until = self._until(accepted)
        about = About(settings.host, accepted.subject, accepted.at, until, deadline.tells_when(accepted))
        spoken = languages(accepted.subject, reader.header)
        return Report(
            host=settings.host,
            sender=postmaster,
            to=address_of(accepted.reverse_path),
            subject=notice_text.subject(kind, about, spoken[0]),
            text=notice_text.text(kind, about, happened, spoken),
            at=its[1],
            message_id=self._message_id(its[0]),
            about=accepted.message_id,
            arrived=accepted.at,
            envid=accepted.envid,
            recipients=[_reported(each, until) for each in happened],
            returned=reader.returned,
            takes_utf8=reader.takes_utf8,
            deliver_by=accepted.deliver_by,
        )

    def _until(self, accepted: Acceptance) -> Millis:
        """When it is given up."""
        until = Millis((accepted.release_at or accepted.at) + self.schedule.give_up // timedelta(milliseconds=1))
        return min(until, deadline.ends_when(accepted) or until)

    def _message_id(self, journey: JourneyId) -> str:
        return f"<{text_of(journey)}@{self._settings.host}>"

    def _tell(self, accepted: Acceptance, notice: Notice, answer: Accepted) -> None:
        """As of any message that comes in."""
        its = notice.request.acceptance
        for row in answer.deliveries:
            data: dict[str, object] = {"sender": "", "recipient": row.recipient, "state": row.state.name.lower()}
            data |= {} if row.uid is None else {"uid": row.uid}
            kind = STORE_ADD if row.state is State.STORED else QUEUE_ADD
            data |= {"octets": its.size, "about": text_of(accepted.journey)}
            self._events.publish(kind, journey=its.journey, data=data)


def _reported(each: Happened, until: Millis) -> Reported:
    kind, separator, _ = each.delivery.original.partition(";")
    is_typed = bool(separator) and kind.isascii() and kind.replace("-", "").isalnum()
    original = each.delivery.original if is_typed else f"rfc822;{address_of(each.delivery.original).text()}"
    return Reported(
        recipient=address_of(each.delivery.recipient).text(),
        action=each.action,
        status=each.status,
        original=original if is_typed or each.delivery.original != each.delivery.recipient else None,
        host=each.host,
        reply=each.reply,
        reason=each.reason,
        tried=each.at,
        retried_until=until if each.action is Action.DELAYED else None,
    )
