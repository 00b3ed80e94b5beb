"""Which messages of which mailbox an event is about."""

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

from mailhost.ids import AccountId, MailboxId, Uid

MOST_RANGES = 50
"""Of UIDs that the log names; how many messages there were it says in any case."""


@dataclass(frozen=True, slots=True)
class Messages:
    """Their UIDs ascend; whoever keeps the event keeps the sequence, which nobody changes."""

    account: AccountId
    mailbox: MailboxId
    name: str
    """What the mailbox was called then."""
    uids: Sequence[Uid]

    def __str__(self) -> str:
        return f"{self.name}/{ranges(self.uids)}"


def ranges(uids: Sequence[Uid], most: int = MOST_RANGES) -> str:
    """Ascending UIDs as a set, cut off where it would become long."""
    found = list(islice(runs(uids), most + 1))
    shown = ",".join(str(low) if low == high else f"{low}:{high}" for low, high in found[:most])
    return shown + ",..." if len(found) > most else shown


def runs(uids: Sequence[Uid]) -> Iterator[tuple[Uid, Uid]]:
    """Each found by bisection: in a run the UIDs grow as their places do, and a mailbox of 50,000 is often one."""
    start = 0
    while start < len(uids):
        offset = uids[start] - start
        end = bisect_right(range(len(uids)), offset, lo=start, key=lambda place: uids[place] - place)
        yield uids[start], uids[end - 1]
        start = end
