"""What an extension is: its name in CAPABILITY, its RFC, and what it adds to the tables of the base."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from mailhost.conversation.command import Command
from mailhost.imap.grammar import Reader, Rule
from mailhost.imap.hierarchy import Name
from mailhost.imap.responses import Status
from mailhost.imap.session import IMAPSession
from mailhost.imap.values import FetchItem
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
    enable: bool = False
    """Whether ENABLE may name it (RFC 5161)."""
    fetch_items: Mapping[bytes, FetchItem] = field(default_factory=dict)
    fetch_modifiers: Mapping[bytes, Rule] = field(default_factory=dict)
    store_modifiers: Mapping[bytes, Rule] = field(default_factory=dict)
    select_parameters: Mapping[bytes, Rule] = field(default_factory=dict)
    search_keys: Mapping[bytes, Callable[[Any], Any]] = field(default_factory=dict)
    status_items: Mapping[bytes, Callable[[IMAPSession, Mailbox], int]] = field(default_factory=dict)
    list_attributes: Callable[[Name], Sequence[str]] | None = None
    """What LIST, LSUB and XLIST say of every name."""
    list_selections: Mapping[bytes, Callable[[Name], bool]] = field(default_factory=dict)
    list_returns: Mapping[bytes, Rule] = field(default_factory=dict)
