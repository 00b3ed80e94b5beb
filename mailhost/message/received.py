"""The trace fields that we put before a message (RFC 5321 section 4.4), safe whatever the peer called itself."""

import re
from dataclasses import dataclass
from functools import lru_cache

from mailhost.message.address import Address
from mailhost.message.dates import format_date
from mailhost.message.headers import fields

LONGEST_PEER_WORD = 255
MOST_ON_A_LINE = 78

_UNSAFE_IN_A_WORD = re.compile(r"[^!#-'*+\-./0-9:=?A-Z\[\]^_`a-z{|}~]")
"""Neither blanks and controls nor what would begin a comment, a quoted string, an address or the date."""


@dataclass(frozen=True, slots=True)
class Hop:
    """How a message reached us."""

    helo: str
    peer_name: str | None
    """What DNS calls the peer, confirmed in both directions; None when it does not."""
    peer_ip: str
    host: str
    protocol: str
    """SMTP, ESMTP, ESMTPS, ESMTPA or ESMTPSA (RFC 3848), UTF8SMTPSA and its kin (RFC 6531 section 4.3)."""
    journey: str
    """Our id for the message, to find it in the log."""
    at: int
    """Milliseconds since 1970 UTC."""
    priority: int | None = None
    """Where the client has asked for one (RFC 6710)."""


def received_field(hop: Hop, recipient: Address | None = None) -> bytes:
    """One Received field. The recipient is named only when there is one alone, or a Bcc would be betrayed."""
    peer = f"{_word(hop.peer_name)} {_ip(hop.peer_ip)}" if hop.peer_name else _ip(hop.peer_ip)
    clauses = [
        f"from {_word(hop.helo)} ({peer})",
        f"by {_word(hop.host)} with {_word(hop.protocol)} id {_word(hop.journey)}",
    ]
    if recipient is not None:
        clauses.append(f"for <{_mailbox(recipient)}>")
    if hop.priority is not None:
        clauses.append(f"PRIORITY {hop.priority}")
    return _folded("Received", [*clauses[:-1], f"{clauses[-1]};", format_date(hop.at)])


def handed_over_field(host: str, uid: int, journey: str, at: int, recipient: Address | None = None) -> bytes:
    """For what a program on this machine hands over: there is no host that it came from, so the user stands in a comment."""
    clauses = [f"by {_word(host)} (mailhost deliver, user {uid})", f"id {_word(journey)}"]
    if recipient is not None:
        clauses.append(f"for <{_mailbox(recipient)}>")
    return _folded("Received", [*clauses[:-1], f"{clauses[-1]};", format_date(at)])


def return_path_field(reverse_path: Address | None) -> bytes:
    """RFC 5321 section 4.4: the reverse-path as given in MAIL; None is the null one."""
    return _folded("Return-Path", [f"<{_mailbox(reverse_path)}>" if reverse_path else "<>"])


def delivered_to_field(address: Address) -> bytes:
    """Delivered-To (RFC 9228): also how a loop through our own aliases is seen."""
    return _folded("Delivered-To", [_mailbox(address)])


def received_count(block: bytes) -> int:
    """How many hosts a message has passed (RFC 5321 section 6.3)."""
    return sum(name.lower() == b"received" for name, _ in fields(block))


def visits(block: bytes, host: str) -> int:
    """How often a message has passed this host: what comes back again and again is in a loop (RFC 5321 section 6.3)."""
    ours = _by(host)
    if ours.search(block) is None:
        return 0
    return sum(name.lower() == b"received" and ours.search(raw) is not None for name, raw in fields(block))


@lru_cache(8)
def _by(host: str) -> re.Pattern[bytes]:
    """Opt-FWS "BY" FWS Extended-Domain, within a field as it is written (RFC 5321 section 4.4)."""
    return re.compile(rb"[:\s)]by\s+" + re.escape(host.encode()) + rb"[\s;(]", re.IGNORECASE)


def _folded(name: str, pieces: list[str]) -> bytes:
    """The pieces on one line while they fit; one of its own for each when not."""
    line = f"{name}: {' '.join(pieces)}"
    if len(line) > MOST_ON_A_LINE:
        line = f"{name}: " + "\r\n\t".join(pieces)
    return line.encode() + b"\r\n"


def _word(text: str) -> str:
    return _UNSAFE_IN_A_WORD.sub("?", text[:LONGEST_PEER_WORD]) or "unknown"


def _ip(text: str) -> str:
    """TCP-info's address literal: `[192.0.2.1]` or `[IPv6:2001:db8::1]`."""
    safe = _word(text)
    return f"[IPv6:{safe}]" if ":" in safe else f"[{safe}]"


def _mailbox(address: Address) -> str:
    """An address can hold no line end by its grammar; one that was not parsed must not either."""
    text = address.text()
    return text if text.isprintable() else "".join(character for character in text if character.isprintable())
