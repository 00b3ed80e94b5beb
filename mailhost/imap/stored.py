"""What sessions do to mailboxes, as events for the log, the trace and the lab (design.md 9)."""

from collections.abc import Sequence
from typing import Any

from mailhost.events.event import STORE_ADD, STORE_EXPUNGE, STORE_FETCH, STORE_FLAG
from mailhost.events.messages import Messages
from mailhost.ids import Uid
from mailhost.imap.session import IMAPSession
from mailhost.store.values import Copied, Mailbox


def fetched(session: IMAPSession, uids: Sequence[Uid]) -> None:
    """The text of messages of the open mailbox was written to the client."""
    _publish(session, STORE_FETCH, _of_open(session, uids))


def flagged(session: IMAPSession, uids: Sequence[Uid], change: str) -> None:
    r"""Messages of the open mailbox have other flags; `change` is what STORE says of it, `+FLAGS (\Seen)`."""
    _publish(session, STORE_FLAG, _of_open(session, uids), change=change)


def appended(session: IMAPSession, mailbox: Mailbox, uid: Uid) -> None:
    """A message came from the client."""
    _publish(session, STORE_ADD, _of(mailbox, [uid]))


def copied(session: IMAPSession, target: Mailbox, done: Copied) -> None:
    """Messages of the open mailbox are in another one too."""
    _publish(session, STORE_ADD, _of(target, done.targets), source=_of_open(session, done.sources))


def moved(session: IMAPSession, target: Mailbox, done: Copied) -> None:
    """Messages of the open mailbox are in another one now."""
    source = _of_open(session, done.sources)
    _publish(session, STORE_ADD, _of(target, done.targets), source=source, moved=True)
    _publish(session, STORE_EXPUNGE, source, moved=True)


def expunged(session: IMAPSession, uids: Sequence[Uid]) -> None:
    """Messages left the open mailbox."""
    _publish(session, STORE_EXPUNGE, _of_open(session, uids))


def _of(mailbox: Mailbox, uids: Sequence[Uid]) -> Messages:
    return Messages(mailbox.account, mailbox.id, mailbox.name, uids)


def _of_open(session: IMAPSession, uids: Sequence[Uid]) -> Messages:
    selected = session.selected
    return Messages(selected.key.account, selected.key.id, selected.name, uids)


def _publish(session: IMAPSession, kind: str, of: Messages, **data: Any) -> None:
    if of.uids:
        session.publish(kind, data={"messages": of, "count": len(of.uids), **data})
