"""The tables of IMAP: the base's commands and those of the extensions, and the capability line, summed."""

from collections.abc import Awaitable, Callable, Iterator
from typing import Any

from mailhost.conversation.command import Command
from mailhost.conversation.loop import converse
from mailhost.conversation.services import Services
from mailhost.imap.commands import authenticate, capability, fetch, login, logout, noop, select, starttls
from mailhost.imap.grammar import Reader
from mailhost.imap.responses import Status
from mailhost.imap.session import Dialect, IMAPSession
from mailhost.transport.channel import Channel

AnyCommand = Command[Any, Reader, Status]

BASE: tuple[AnyCommand, ...] = (
    capability.COMMAND,
    noop.COMMAND,
    logout.COMMAND,
    starttls.COMMAND,
    authenticate.COMMAND,
    login.COMMAND,
    *select.COMMANDS,
    fetch.COMMAND,
)
"""RFC 3501 section 6, in its order."""


def _table() -> dict[str, AnyCommand]:
    return {name: command for command in BASE for name in _names(command)}


def _names(command: AnyCommand) -> Iterator[str]:
    yield command.name
    if command.by_uid:
        yield f"UID {command.name}"


DIALECT = Dialect(_table(), (), non_synchronizing=False)


def conversation(services: Services, dialect: Dialect = DIALECT) -> Callable[[Channel], Awaitable[None]]:
    """What talks IMAP on a channel."""

    async def talk(channel: Channel) -> None:
        await converse(IMAPSession(channel, services, dialect))

    return talk
