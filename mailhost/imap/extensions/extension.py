"""What an extension is: its name in CAPABILITY, its RFC, and what it adds to the tables of the base."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from mailhost.conversation.command import Command
from mailhost.imap.grammar import Reader, Rule
from mailhost.imap.hierarchy import Name
from mailhost.imap.responses import Status
from mailhost.imap.session import IMAPSession
from mailhost.imap.values import FetchItem, MessageData
from mailhost.store.values import Mailbox


@dataclass(frozen=True)
class Extension:
    """One capability. What of it changes base commands is noted in its file's first line."""

    name: str
    rfc: int
    commands: tuple[Command[Any, Reader, Status], ...] = ()
    """One with the name of a base command takes its place: it does what that does, and more."""
    says: Callable[[IMAPSession], str] | None = None
    """What CAPABILITY lists, where that is more than the name."""
    needs: frozenset[str] = frozenset()
    """Others without which it is nothing: where one of them is switched off, so is it."""
    non_synchronizing: bool = False
    """Whether literals may come without being asked for."""
    initial_response: bool = False
    """Whether AUTHENTICATE may have a response with it."""
    tells_uids: bool = False
    """Whether APPENDUID and COPYUID are told."""
    enable: Callable[[IMAPSession], None] | None = None
    """What happens when a client enables it, once a session; None where ENABLE does not know it (RFC 5161). May raise `Refused`."""
    enabled_by: frozenset[bytes] = frozenset()
    """Words of it whose use enables it as well."""
    select_says: Callable[[IMAPSession], Status] | None = None
    """What SELECT and EXAMINE tell more of the mailbox."""
    fetch_items: Mapping[bytes, FetchItem] = field(default_factory=dict)
    fetch_modifiers: Mapping[bytes, Rule] = field(default_factory=dict)
    """Rules that answer with a `commands.fetch.Modifier`."""
    store_modifiers: Mapping[bytes, Rule] = field(default_factory=dict)
    """Rules that answer with a `commands.store.Modifier`."""
    select_parameters: Mapping[bytes, Rule] = field(default_factory=dict)
    """What they answer with is not used yet: it is enough that the word was said, see `enabled_by`."""
    search_keys: Mapping[bytes, Callable[[Any], Any]] = field(default_factory=dict)
    status_items: Mapping[bytes, Callable[[IMAPSession, Mailbox], int]] = field(default_factory=dict)
    append_data: Mapping[bytes, Callable[[Reader], MessageData]] = field(default_factory=dict)
    """Other ways than a literal to send a message."""
    list_attributes: Callable[[Name], Sequence[str]] | None = None
    """What LIST, LSUB and XLIST say of every name."""
    list_selections: Mapping[bytes, Callable[[Name], bool]] = field(default_factory=dict)
    list_returns: Mapping[bytes, Rule] = field(default_factory=dict)
