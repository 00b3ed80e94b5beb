"""SELECT and EXAMINE: open a mailbox (RFC 3501 sections 6.3.1, 6.3.2)."""

from collections.abc import Sequence
from contextlib import suppress

from mailhost.conversation.command import Command
from mailhost.database.errors import CommitFailed
from mailhost.ids import Uid
from mailhost.imap.grammar import Reader
from mailhost.imap.responses import FlagNames, Status, exists, numbered, ok, untagged
from mailhost.imap.session import IMAPSession
from mailhost.imap.values import LOGGED_IN
from mailhost.imap.view import View
from mailhost.store import mailboxes
from mailhost.store.values import SEEN, Mailbox, MailboxKey


def parse(reader: Reader) -> str:
    """Select = "SELECT" SP mailbox [SP "(" select-param *(SP select-param) ")"] (RFC 4466 section 2.1)"""
    reader.space()
    name = reader.mailbox()
    reader.parameters(reader.vocabulary.select_parameters)
    reader.end()
    return name


async def select(session: IMAPSession, name: str) -> Status:
    return await _open(session, name, read_only=False)


async def examine(session: IMAPSession, name: str) -> Status:
    return await _open(session, name, read_only=True)


async def _open(session: IMAPSession, name: str, *, read_only: bool) -> Status:
    """Even a refused SELECT leaves no mailbox selected."""
    await session.leave()
    found = await session.mailbox(name)
    key = MailboxKey(found.account, found.id)
    recent = found.recent_uid if read_only else await _claim_recent(session, found, key)
    names = FlagNames(dict(await session.read_store(mailboxes.keywords, key)))
    view = View(session.changed.set)
    index = await session.services.indexes.open(found, view)
    view.begin(index, recent, claims=not read_only)
    session.select(found, index, view, names, read_only=read_only)
    _tell(session, found)
    return ok("Mailbox opened", "READ-ONLY" if read_only else "READ-WRITE")


async def _claim_recent(session: IMAPSession, found: Mailbox, key: MailboxKey) -> Uid:
    """Where it cannot be written, the next session finds the same messages recent: no reason not to open the mailbox."""
    if found.recent_uid == found.uid_next:
        return found.recent_uid
    with suppress(CommitFailed):
        return await session.services.database.write(mailboxes.claim_recent, key)
    return found.recent_uid


def _tell(session: IMAPSession, found: Mailbox) -> None:
    selected = session.selected
    view, index = selected.view, selected.index
    session.write(
        untagged(b"FLAGS", selected.flag_names.all())
        + exists(view.exists)
        + numbered(view.recent, b"RECENT")
        + _first_unseen(index.flags)
        + ok("Flags that are kept", f"PERMANENTFLAGS {_permanent(selected.flag_names, selected.read_only)}").line()
        + ok("UIDs are valid", f"UIDVALIDITY {index.uid_validity}").line()
        + ok("The next UID", f"UIDNEXT {max(found.uid_next, view.last_uid + 1)}").line()
        + b"".join(says(session).line() for says in session.dialect.select_says)
    )


def _permanent(names: FlagNames, read_only: bool) -> str:
    r"""Without `\*` no new keyword can be kept (RFC 3501 section 7.1)."""
    more = [rb"\*"] if names.has_room else []
    return "()" if read_only else names.all(*more).decode()


def _first_unseen(flags: Sequence[int]) -> bytes:
    """Each combination of flags is looked at once, however many messages have it."""
    places = [flags.index(each) for each in set(flags) if not each & SEEN]
    return ok("The first that is unseen", f"UNSEEN {min(places) + 1}").line() if places else b""


COMMANDS: tuple[Command[IMAPSession, Reader, Status], ...] = (
    Command("SELECT", LOGGED_IN, parse, select, rfc=3501),
    Command("EXAMINE", LOGGED_IN, parse, examine, rfc=3501),
)
