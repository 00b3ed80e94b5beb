"""What an extension is: its name in CAPABILITY, its RFC, and what it adds."""

from dataclasses import dataclass
from typing import Any

from mailhost.conversation.command import Command
from mailhost.imap.grammar import Reader
from mailhost.imap.responses import Status


@dataclass(frozen=True)
class Extension:
    """One capability. What of it changes base commands is noted in its file's first line."""

    name: str
    rfc: int
    commands: tuple[Command[Any, Reader, Status], ...] = ()
    non_synchronizing: bool = False
    """Whether literals may come without being asked for."""
