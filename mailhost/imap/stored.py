"""What sessions do to mailboxes, as events for the log and the lab: `store.flag`, `store.add`, `store.expunge` (design.md 9)."""

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from itertools import islice

from mailhost.events.event import STORE_ADD, STORE_EXPUNGE, STORE_FLAG
from mailhost.ids import Uid
from mailhost.imap.session import IMAPSession
from mailhost.store.values import MailboxKey

MOST_RANGES = 50
"""Of UIDs that one event names; how many messages there were it says in any case."""


def flagged(session: IMAPSession, uids: Sequence[Uid]) -> None:
    """Messages of the open mailbox have other flags."""
    _publish(session, STORE_FLAG, session.selected.key, uids)


def added(session: IMAPSession, mailbox: MailboxKey, uids: Sequence[Uid]) -> None:
    """Messages came into a mailbox."""
    _publish(session, STORE_ADD, mailbox, uids)


def expunged(session: IMAPSession, uids: Sequence[Uid]) -> None:
    """Messages left the open mailbox."""
    _publish(session, STORE_EXPUNGE, session.selected.key, uids)


def _publish(session: IMAPSession, kind: str, mailbox: MailboxKey, uids: Sequence[Uid]) -> None:
    if uids:
        session.publish(kind, data={"mailbox": mailbox, "uids": ranges(uids), "messages": len(uids)})


def ranges(uids: Sequence[Uid]) -> str:
    """Ascending UIDs as a set, cut off where it would become long."""
    runs = list(islice(_runs(uids), MOST_RANGES + 1))
    shown = ",".join(str(low) if low == high else f"{low}:{high}" for low, high in runs[:MOST_RANGES])
    return shown + ",..." if len(runs) > MOST_RANGES else shown


def _runs(uids: Sequence[Uid]) -> Iterator[tuple[Uid, Uid]]:
    """Each found by bisection: in a run the UIDs grow as their places do, and a mailbox of 50,000 is often one."""
    start = 0
    while start < len(uids):
        offset = uids[start] - start
        end = bisect_right(range(len(uids)), offset, lo=start, key=lambda place: uids[place] - place)
        yield uids[start], uids[end - 1]
        start = end
