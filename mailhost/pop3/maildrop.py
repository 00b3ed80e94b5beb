"""The maildrop: the INBOX as it was at the login, and the lock that keeps it to one client (RFC 1939 sections 3 and 4)."""

import fcntl
import os
from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from mailhost.database.database import Database
from mailhost.database.errors import Refused
from mailhost.events.messages import Messages
from mailhost.ids import AccountId, Uid, UidValidity, now, text_of
from mailhost.message.form import Form
from mailhost.pop3.grammar import MessageNumber
from mailhost.store import mailboxes, messages
from mailhost.store.names import INBOX
from mailhost.store.values import Located, Mailbox, MailboxKey

SMALL = 1000
"""Messages that are listed in the loop's thread: a hop to another takes as long."""


class MaildropInUse(Refused):
    """Another session has it open."""


class NoSuchMessage(Refused):
    """The maildrop has no message of this number."""


class MessageDeleted(Refused):
    """The client has marked it as deleted in this session."""


class MessageGone(Refused):
    """Another client, by IMAP, has expunged it since the login."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One message as STAT, LIST and UIDL tell it."""

    number: MessageNumber
    uid: Uid
    octets: int


class Lock:
    """One client at a time in all processes: a lock on a file of the account, which the system frees when a process dies."""

    def __init__(self, folder: Path, account: AccountId) -> None:
        """Raises `MaildropInUse`."""
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._file: int | None = os.open(folder / text_of(account), os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self.release()
            raise MaildropInUse from None

    def release(self) -> None:
        """The file stays: whoever removed it could take the lock from under somebody who has just opened it."""
        if self._file is not None:
            os.close(self._file)
            self._file = None


class Maildrop:
    """Numbers, UIDs and sizes that stay as they were, and what the client has marked as deleted."""

    def __init__(self, inbox: Mailbox, sizes: Sequence[tuple[Uid, int]], lock: Lock, takes: Form = Form.PLAIN) -> None:
        self.takes = takes
        """What its client takes beyond plain mail; sizes are of what it gets."""
        self.key = MailboxKey(inbox.account, inbox.id)
        self.uid_validity: UidValidity = inbox.uid_validity
        self._uids = array("I", [uid for uid, _ in sizes])
        self._octets = array("Q", [octets for _, octets in sizes])
        self._deleted: set[MessageNumber] = set()
        self._lock = lock
        self.messages = len(sizes)
        """Those not marked as deleted."""
        self.octets = sum(self._octets)

    def entry(self, number: MessageNumber) -> Entry:
        """Raises `NoSuchMessage`, `MessageDeleted`."""
        if not 1 <= number <= len(self._uids):
            raise NoSuchMessage
        if number in self._deleted:
            raise MessageDeleted
        return self._entry(number)

    def entries(self) -> Iterator[Entry]:
        """All that are not marked as deleted."""
        numbers = map(MessageNumber, range(1, len(self._uids) + 1))
        return (self._entry(number) for number in numbers if number not in self._deleted)

    def delete(self, number: MessageNumber) -> None:
        """Raises what `entry` raises."""
        entry = self.entry(number)
        self._deleted.add(number)
        self.messages -= 1
        self.octets -= entry.octets

    def reset(self) -> None:
        """Take back every mark."""
        self._deleted.clear()
        self.messages, self.octets = len(self._uids), sum(self._octets)

    def deleted_uids(self) -> list[Uid]:
        """What QUIT is to remove, ascending."""
        return [Uid(self._uids[number - 1]) for number in sorted(self._deleted)]

    def event_of(self, uids: Sequence[Uid]) -> Messages:
        """As events name messages."""
        return Messages(self.key.account, self.key.id, INBOX, uids)

    def close(self) -> None:
        """The next client may come."""
        self._lock.release()

    def _entry(self, number: MessageNumber) -> Entry:
        return Entry(number, Uid(self._uids[number - 1]), self._octets[number - 1])


async def open_maildrop(database: Database, locks: Path, account: AccountId, takes: Form) -> Maildrop:
    """Lock, then look. Raises `MaildropInUse`, `MailboxMissing`."""
    lock = Lock(locks, account)
    try:
        inbox = await database.read(mailboxes.find, account, INBOX)
        read = messages.sizes if inbox.messages > SMALL else messages.sizes_small
        return Maildrop(inbox, await database.read(read, MailboxKey(account, inbox.id), takes), lock, takes)
    except BaseException:
        lock.release()
        raise


async def locate(database: Database, maildrop: Maildrop, number: MessageNumber) -> Located:
    """Where a message's octets are. Raises what `entry` raises, and `MessageGone`."""
    entry = maildrop.entry(number)
    found = await database.read(messages.locate_present, maildrop.key, entry.uid, maildrop.takes)
    if found is None:
        raise MessageGone
    return found


async def remove_deleted(database: Database, maildrop: Maildrop) -> list[Uid]:
    """The UPDATE state: one durable commit for all that is marked; answers with what left. Raises `CommitFailed`."""
    uids = maildrop.deleted_uids()
    return await database.write(messages.expunge, maildrop.key, uids, now()) if uids else []
