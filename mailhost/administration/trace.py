"""A journey told: in sentences for people, as values for programs."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from mailhost.administration.journeys import Copy, Incident, Journey, Place, Step, trace
from mailhost.events.event import (
    AUTH_FAIL,
    CLIENT_MISTAKE,
    NOTICE_SENT,
    NOTICE_WITHHELD,
    QUEUE_ACT,
    QUEUE_DEFER,
    REFUSED,
    STORE_EXPUNGE,
    STORE_FETCH,
    STORE_FLAG,
)
from mailhost.ids import Millis, text_of
from mailhost.queue.values import HELD, Acceptance, Delivery, State
from mailhost.trace.entries import COPIED, MOVED
from mailhost.trace.values import Entry

__all__ = ["Meanings", "as_values", "sentences", "trace"]

MOST_SHOWN = 100
"""Recipients of one message that are told one by one; `as_values` has all."""


@dataclass(frozen=True, slots=True)
class Meanings:
    """What other hosts' answers mean, by status (RFC 3463) and answer: for whoever has the table."""

    text: Callable[[str, str | None], str]
    """In the reader's language."""
    in_all: Callable[[str, str | None], Mapping[str, str]]


UNKNOWN = Meanings(lambda *_: "", lambda *_: {})


def sentences(found: Journey | Incident, meanings: Meanings = UNKNOWN) -> Iterator[str]:
    """In plain words, in the machine's own time: the acceptance first, then a line for each recipient and each step."""
    return _journey(found, meanings) if isinstance(found, Journey) else _incident(found.entry)


def _journey(journey: Journey, meanings: Meanings) -> Iterator[str]:
    accepted = journey.acceptance
    by = f"{accepted.peer or 'this server itself'}{_right(journey)}"
    yield (
        f"{text_of(accepted.journey)}: accepted {_moment(accepted.at)} from <{accepted.reverse_path}> ({by}), "
        f"{accepted.size:,} octets, for {_people(journey)}"
    )
    if named := "   ".join(_names(journey)):
        yield f"  {named}"
    if wished := ", ".join(_wishes(accepted)):
        yield f"  Wished: {wished}"
    for each in journey.copies[:MOST_SHOWN]:
        row = each.delivery
        yield f"  {row.recipient}: {WORDS[row.state](each, accepted.at)}"
        if row.status and row.state in NEEDS_MEANING and (means := meanings.text(row.status, row.reply)):
            yield f"    this means: {means}"
        for act in journey.acts:
            if _is_about(act, each):
                yield f"    {_clock(act.at, accepted.at)} {ACTS[act.kind](act.data)}"
        for line in _afterwards(each, accepted.at):
            yield f"    {line}"
    if len(journey.copies) > MOST_SHOWN:
        yield f"  ... and {len(journey.copies) - MOST_SHOWN:,} more recipients; --json tells of all"
    for act in journey.acts:
        if act.kind in NOTICES:
            yield f"  {_clock(act.at, accepted.at)} {NOTICES[act.kind](act.data)}"


def _right(journey: Journey) -> str:
    """By which right it was taken: for other hosts' mail there are two."""
    if journey.acceptance.login is not None:
        return ", logged in"
    named = [each.delivery for each in journey.copies if each.delivery.parent is None]
    is_listed = journey.acceptance.peer and any(row.destination for row in named)
    return ", of a listed network" if is_listed else ""


def _is_about(act: Entry, copy: Copy) -> bool:
    return act.kind in ACTS and copy.delivery.recipient in (act.data.get("recipients") or [act.data.get("recipient")])


def _deferred(data: Mapping[str, Any]) -> str:
    reply = f": {data['reply']}" if data.get("reply") else ""
    return f"tried, and not taken: {data.get('reason', '')}{reply}"


def _acted(data: Mapping[str, Any]) -> str:
    to = f" to {data['to']}" if data.get("to") else ""
    until = f" until {_moment(Millis(data['until']))}" if data.get("until") else ""
    why = f": {data['reason']}" if data.get("reason") else ""
    return f"{ACT_WORDS.get(data['act'], data['act'])}{to} by {data.get('by', 'somebody')}{until}{why}"


ACTS: Mapping[str, Callable[[Mapping[str, Any]], str]] = {
    QUEUE_DEFER: _deferred,
    QUEUE_ACT: _acted,
}


def _told(data: Mapping[str, Any]) -> str:
    if "about" in data:
        return f"this tells its reader what became of journey {data['about']}"
    return f"its sender was told {TOLD.get(data.get('tells', ''), 'of it')}: journey {data.get('notice')}"


TOLD: Mapping[str, str] = {"failed": "of the failure", "delayed": "of the delay", "done": "that it got through"}
NOTICES: Mapping[str, Callable[[Mapping[str, Any]], str]] = {
    NOTICE_SENT: _told,
    NOTICE_WITHHELD: lambda data: f"its sender was not told: {data.get('reason', '')}",
}
"""What its sender heard of the message."""
ACT_WORDS: Mapping[str, str] = {
    "hold": "held",
    "release": "released",
    "retry": "to be tried at once, asked",
    "reschedule": "put off",
    "cancel": "cancelled",
    "bounce": "returned",
    "redirect": "redirected",
}


def _names(journey: Journey) -> Iterator[str]:
    accepted = journey.acceptance
    if accepted.subject:
        yield f"Subject: {accepted.subject}"
    if accepted.message_id:
        yield f"Message-ID: {accepted.message_id}"


def _wishes(accepted: Acceptance) -> Iterator[str]:
    """What its sender set for it: MT-PRIORITY (RFC 6710), DELIVERBY (RFC 2852)."""
    if accepted.priority:
        yield f"priority {accepted.priority}"
    if accepted.deliver_by is not None:
        late = "returned" if (accepted.by_mode or "").startswith("R") else "its sender told"
        yield f"delivered by {_moment(accepted.deliver_by)}, else {late}"


def _people(journey: Journey) -> str:
    named = [each.delivery for each in journey.copies if each.delivery.parent is None]
    return f"{len(named)} recipient" + "s" * (len(named) != 1)


# What became of a recipient.


def _stored(copy: Copy, base: Millis) -> str:
    where = copy.mailbox if copy.mailbox is not None else "a mailbox that is no more"
    return f"stored in {where} as UID {copy.delivery.uid}, {_finished(copy, base)}"


def _waiting(copy: Copy, base: Millis) -> str:
    row = copy.delivery
    until = "" if row.next_try is None else f", next try {_clock(row.next_try, base)}"
    if row.hold:
        return f"held by the administrator{_why(row)}; `mailhost queue release` lets it go"
    if row.reason == HELD and not row.tries:
        return f"held until {_clock(row.next_try or Millis(0), base)}: {HELD}"
    if row.destination and not row.tries:
        return f"waiting for relay to {row.destination}, not sent"
    times = TIMES.get(row.tries, f"tried {row.tries} times")
    if row.destination:
        return f"waiting for {row.destination}{_why(row)}{until}, {times}"
    return f"waiting to be stored here{_why(row)}{until}, {times}"


def _relayed(copy: Copy, base: Millis) -> str:
    row = copy.delivery
    answer = row.reply or "nothing that is known"
    return f"delivered to {row.host or 'another host'} {_finished(copy, base)}; it answered {answer}"


def _expanded(copy: Copy, base: Millis) -> str:
    reason = copy.delivery.reason
    words = reason or "an alias: it went to the addresses below"
    return f"{words} {_finished(copy, base)}"


def _ended(words: str) -> Callable[[Copy, Millis], str]:
    return lambda copy, base: f"{words} {_finished(copy, base)}{_why(copy.delivery)}"


def _why(row: Delivery) -> str:
    reply = f" ({row.reply})" if row.reply else ""
    return f": {row.reason}{reply}" if row.reason else reply


WORDS: Mapping[State, Callable[[Copy, Millis], str]] = {
    State.WAITING: _waiting,
    State.STORED: _stored,
    State.RELAYED: _relayed,
    State.EXPANDED: _expanded,
    State.BOUNCED: _ended("returned to its sender"),
    State.EXPIRED: _ended("given up after its time"),
    State.CANCELLED: _ended("cancelled"),
    State.DISCARDED: _ended("discarded"),
}
TIMES: Mapping[int, str] = {0: "not tried yet", 1: "tried once"}
NEEDS_MEANING = frozenset({State.WAITING, State.BOUNCED, State.EXPIRED})


# What its owner did with it.


def _afterwards(copy: Copy, accepted: Millis) -> Iterator[str]:
    for line, times, last in _repeated(copy.steps):
        first = line[0].entry.at
        again = f" ({times} times, the last {_clock(last, first)})" if times > 1 else ""
        yield f"{_clock(first, accepted)} {line[1]}{again}"
    for place in copy.places:
        yield from _now(place, accepted)


def _repeated(steps: Sequence[Step]) -> Iterator[tuple[tuple[Step, str], int, Millis]]:
    """Each step with its words; the same ones in a row are told once."""
    first: tuple[Step, str] | None = None
    times, last = 0, Millis(0)
    for step in steps:
        said = STEPS[step.entry.kind](step) + _by(step.entry)
        if first is not None and said != first[1]:
            yield first, times, last
            first, times = None, 0
        first = first or (step, said)
        times, last = times + 1, step.entry.at
    if first is not None:
        yield first, times, last


def _flagged(step: Step) -> str:
    action, _, named = str(step.entry.data.get("change", "")).partition(" ")
    flags = named.strip("()") or "none"
    return {"+FLAGS": f"marked {flags}", "-FLAGS": f"mark {flags} taken away"}.get(action, f"marks set to: {flags}")


def _went(verb: str) -> Callable[[Step], str]:
    def say(step: Step) -> str:
        where = step.target if step.target is not None else "a mailbox that is no more"
        return f"{verb} to {where} as UID {step.target_uid}"

    return say


STEPS: Mapping[str, Callable[[Step], str]] = {
    STORE_FETCH: lambda _: "fetched",
    STORE_FLAG: _flagged,
    STORE_EXPUNGE: lambda _: "deleted",
    MOVED: _went("moved"),
    COPIED: _went("copied"),
}


def _by(entry: Entry) -> str:
    """By POP3 from 192.0.2.7 (Thunderbird)"""
    by = entry.data
    protocol = f" by {str(by['protocol']).upper()}" if by.get("protocol") else ""
    address = f" from {by['address']}" if by.get("address") else ""
    client = f" ({by['client']})" if by.get("client") else ""
    return protocol + address + client


def _now(place: Place, accepted: Millis) -> Iterator[str]:
    """From the store itself: true also when a crash has cost the last events."""
    now = place.now
    if now.is_there:
        marks = f", marked {' '.join(now.flags)}" if now.flags else ", not read"
        yield f"now in {now.mailbox} as UID {place.uid}{marks}"
    elif place.left:
        return
    elif now.expunged_at is not None:
        yield f"{_clock(now.expunged_at, accepted)} deleted; by whom was not recorded"
    elif now.mailbox is None:
        yield "that mailbox has been deleted, and the message with it"
    else:
        yield f"no longer in {now.mailbox}; when it left is not recorded"


# What was never accepted.


def _incident(entry: Entry) -> Iterator[str]:
    by = entry.data
    who = f"{by.get('address') or 'an unknown address'} by {by.get('listener', '?')}"
    yield f"{_moment(entry.at)} {INCIDENTS[entry.kind](by)} ({who})"


def _refused(by: Mapping[str, Any]) -> str:
    sender = f"from <{by.get('sender', '')}>"
    to = f" for {', '.join(by['recipients'])}" if by.get("recipients") else ""
    return f"refused: a message {sender}{to}; answered {by.get('reply', '')}"


INCIDENTS: Mapping[str, Callable[[Mapping[str, Any]], str]] = {
    REFUSED: _refused,
    AUTH_FAIL: lambda by: f"login refused{' as ' + str(by['user']) if by.get('user') else ''}: {by.get('cause', '')}",
    CLIENT_MISTAKE: lambda by: f"a client with wrong settings: {by.get('cause', '')}",
}


# Moments.


def _finished(copy: Copy, base: Millis) -> str:
    at = copy.delivery.finished_at
    return "at no known time" if at is None else f"at {_clock(at, base)}"


def _moment(at: Millis) -> str:
    return f"{_local(at):%Y-%m-%d %H:%M:%S %Z}"


def _clock(at: Millis, base: Millis) -> str:
    """The time of the day, where the day is told before."""
    return f"{_local(at):%H:%M:%S}" if _local(at).date() == _local(base).date() else f"{_local(at):%Y-%m-%d %H:%M:%S}"


def _local(at: Millis) -> datetime:
    return datetime.fromtimestamp(at / 1000).astimezone()


# For programs.


def as_values(found: Journey | Incident, meanings: Meanings = UNKNOWN) -> dict[str, Any]:
    """Moments are milliseconds since 1970 UTC. What was accepted has a `journey`, an incident a `kind`."""
    if isinstance(found, Incident):
        return {"kind": found.entry.kind, "at": found.entry.at, **found.entry.data}
    accepted = found.acceptance
    return {
        "journey": text_of(accepted.journey),
        "accepted_at": accepted.at,
        "from": accepted.reverse_path,
        "peer": accepted.peer,
        "helo": accepted.helo,
        "logged_in": accepted.login is not None,
        "octets": accepted.size,
        "subject": accepted.subject,
        "message_id": accepted.message_id,
        "priority": accepted.priority,
        "deliver_by": accepted.deliver_by,
        "by_mode": accepted.by_mode,
        "recipients": [_as_value(each, meanings) for each in found.copies],
        "acts": [{"kind": act.kind, "at": act.at, **act.data} for act in found.acts],
    }


def _as_value(copy: Copy, meanings: Meanings) -> dict[str, Any]:
    row = copy.delivery
    return {
        "recipient": row.recipient,
        "original": row.original,
        "state": row.state.name.lower(),
        "reason": row.reason,
        "destination": row.destination or None,
        "mailbox": copy.mailbox,
        "uid": row.uid,
        "next_try": row.next_try,
        "tries": row.tries,
        "status": row.status,
        "host": row.host,
        "reply": row.reply,
        "meaning": dict(meanings.in_all(row.status, row.reply)) if row.status else None,
        "held": bool(row.hold),
        "told_at": row.told_at or None,
        "finished_at": row.finished_at,
        "steps": [_step_value(each) for each in copy.steps],
        "places": [_place_value(each) for each in copy.places],
    }


def _step_value(step: Step) -> dict[str, Any]:
    known = {name: value for name, value in step.entry.data.items() if not name.startswith("to_")}
    to = {} if step.target_uid is None else {"to": step.target, "to_uid": step.target_uid}
    return {"at": step.entry.at, "kind": step.entry.kind, "mailbox": step.mailbox, **known, **to}


def _place_value(place: Place) -> dict[str, Any]:
    now = place.now
    return {
        "mailbox": now.mailbox,
        "uid": place.uid,
        "is_there": now.is_there,
        "flags": list(now.flags),
        "expunged_at": now.expunged_at,
    }
