"""The names of things, and how a fresh one is made.

An identifier has 63 bits: milliseconds since 2026 (41), node and worker (10), counter (12). It is unique without a round
trip, grows, and stays safe when the clock steps back: the last one given is kept and the next one follows it.
"""

import time
from collections.abc import Callable
from typing import NewType

AccountId = NewType("AccountId", int)
DomainId = NewType("DomainId", int)
MailboxId = NewType("MailboxId", int)
MessageId = NewType("MessageId", int)
"""The row of a message's content in one account. What a client calls Message-ID is a header field."""
BlobId = NewType("BlobId", int)
JourneyId = NewType("JourneyId", int)
"""One accepted message on its way; also the key of its `acceptance`."""
DeliveryId = NewType("DeliveryId", int)
EventId = NewType("EventId", int)
ConnectionId = NewType("ConnectionId", int)
Uid = NewType("Uid", int)
ModSeq = NewType("ModSeq", int)
UidValidity = NewType("UidValidity", int)
Millis = NewType("Millis", int)
"""A moment: milliseconds since 1970, UTC."""

EPOCH_2026 = 1_767_225_600_000
NODE_BITS, COUNTER_BITS = 10, 12


def now() -> Millis:
    return Millis(time.time_ns() // 1_000_000)


class IdMaker:
    """Makes identifiers that no other node, worker or moment makes."""

    def __init__(self, node: int = 0, clock: Callable[[], int] = now) -> None:
        if not 0 <= node < 1 << NODE_BITS:
            raise ValueError(f"node {node} does not fit {NODE_BITS} bits")
        self._node = node << COUNTER_BITS
        self._clock = clock
        self._moment = 0
        self._counter = 0

    def fresh(self) -> int:
        moment = max(self._clock() - EPOCH_2026, 0)
        if moment > self._moment:
            self._moment, self._counter = moment, 0
        else:
            self._counter += 1
            if self._counter >> COUNTER_BITS:  # borrow from the future rather than repeat
                self._moment, self._counter = self._moment + 1, 0
        return self._moment << (NODE_BITS + COUNTER_BITS) | self._node | self._counter


def first_of(moment: Millis) -> int:
    """The least identifier that can have been made at a moment: those made before are below it."""
    return max(moment - EPOCH_2026, 0) << (NODE_BITS + COUNTER_BITS)


_maker = IdMaker()


def use_node(node: int) -> None:
    """Every process that writes into one database has a number of its own (0 to 1023)."""
    global _maker  # noqa: PLW0603 - one maker a process is the point
    _maker = IdMaker(node)


def fresh() -> int:
    return _maker.fresh()


def text_of(identifier: int) -> str:
    """How an identifier is written for people: 16 hex digits."""
    return f"{identifier:016x}"
