"""The tables of IMAP: the base's commands and those of the extensions, and the capability line, summed."""

from collections.abc import Awaitable, Callable, Iterator, Sequence
from typing import Any

from mailhost.conversation.command import Command
from mailhost.conversation.loop import converse
from mailhost.conversation.services import Services
from mailhost.imap.commands import (
    append,
    authenticate,
    capability,
    check,
    copy,
    create,
    delete,
    expunge,
    fetch,
    login,
    logout,
    noop,
    rename,
    search,
    select,
    starttls,
    status,
    store,
    subscribe,
)
from mailhost.imap.commands import list as mailbox_list
from mailhost.imap.extensions import EXTENSIONS
from mailhost.imap.extensions.extension import Extension
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
    create.COMMAND,
    delete.COMMAND,
    rename.COMMAND,
    *subscribe.COMMANDS,
    *mailbox_list.COMMANDS,
    status.COMMAND,
    append.COMMAND,
    check.COMMAND,
    *expunge.COMMANDS,
    search.COMMAND,
    fetch.COMMAND,
    store.COMMAND,
    copy.COMMAND,
)
"""RFC 3501 section 6, in its order."""


def summed(extensions: Sequence[Extension]) -> Dialect:
    commands = [*BASE, *(command for extension in extensions for command in extension.commands)]
    return Dialect(
        {name: command for command in commands for name in _names(command)},
        tuple(extension.name for extension in extensions),
        any(extension.non_synchronizing for extension in extensions),
    )


def _names(command: AnyCommand) -> Iterator[str]:
    yield command.name
    if command.by_uid:
        yield f"UID {command.name}"


DIALECT = summed(EXTENSIONS)


def conversation(services: Services, dialect: Dialect = DIALECT) -> Callable[[Channel], Awaitable[None]]:
    """What talks IMAP on a channel."""

    async def talk(channel: Channel) -> None:
        await converse(IMAPSession(channel, services, dialect))

    return talk
