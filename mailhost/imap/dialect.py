"""The tables of IMAP: the base's commands and those of the extensions, and the capability line, summed."""

from collections.abc import Awaitable, Callable, Collection, Iterable, Iterator, Mapping
from typing import Any, TypeVar

from mailhost.conversation.command import Command
from mailhost.conversation.dialect import spoken
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
from mailhost.imap.grammar import Reader, Vocabulary
from mailhost.imap.responses import Status
from mailhost.imap.session import Dialect, IMAPSession, IMAPSettings
from mailhost.transport.channel import Channel

V = TypeVar("V")

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


def dialect(extensions: Iterable[Extension] = EXTENSIONS, without: Collection[str] = ()) -> Dialect:
    """The base and some extensions. Raises `UnknownExtension` where `without` names one that is not there."""
    chosen = list(spoken(extensions, without, lambda each: each.name))
    chosen = [each for each in chosen if each.needs <= {other.name for other in chosen}]
    commands = [*BASE, *(command for each in chosen for command in each.commands)]
    status_items = _summed(each.status_items for each in chosen)
    return Dialect(
        {name: command for command in commands for name in _names(command)},
        tuple(_says(each) for each in chosen),
        any(each.non_synchronizing for each in chosen),
        any(each.initial_response for each in chosen),
        any(each.tells_uids for each in chosen),
        {each.name: each.enable for each in chosen if each.enable},
        {word: each.name for each in chosen for word in each.enabled_by},
        tuple(each.select_says for each in chosen if each.select_says),
        status_items,
        tuple(each.list_attributes for each in chosen if each.list_attributes),
        Vocabulary(
            _summed(each.fetch_items for each in chosen),
            _summed(each.fetch_modifiers for each in chosen),
            _summed(each.store_modifiers for each in chosen),
            _summed(each.select_parameters for each in chosen),
            _summed(each.search_keys for each in chosen),
            status_items,
            _summed(each.append_data for each in chosen),
            _summed(each.list_selections for each in chosen),
            _summed(each.list_returns for each in chosen),
        ),
    )


def _summed(tables: Iterable[Mapping[bytes, V]]) -> dict[bytes, V]:
    return {word: value for table in tables for word, value in table.items()}


def _says(extension: Extension) -> Callable[[IMAPSession], str]:
    return extension.says or (lambda _: extension.name)


def _names(command: AnyCommand) -> Iterator[str]:
    yield command.name
    if command.by_uid:
        yield f"UID {command.name}"


def conversation(
    services: Services, settings: IMAPSettings | None = None, *, without: Collection[str] = ()
) -> Callable[[Channel], Awaitable[None]]:
    """What talks IMAP on a channel."""
    speaks, how = dialect(without=without), settings or IMAPSettings()

    async def talk(channel: Channel) -> None:
        await converse(IMAPSession(channel, services, speaks, how))

    return talk
