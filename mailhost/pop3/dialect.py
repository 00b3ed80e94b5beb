"""The base and the extensions, summed into the table of commands and the lines of CAPA; and the conversation in them."""

from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping
from dataclasses import dataclass

from mailhost.conversation.dialect import spoken
from mailhost.conversation.loop import converse
from mailhost.conversation.services import Services
from mailhost.pop3.commands import authorization, transaction, update
from mailhost.pop3.extensions import EXTENSIONS
from mailhost.pop3.extensions.extension import Extension
from mailhost.pop3.session import Announce, POP3Command, POP3Session
from mailhost.transport.channel import Channel

BASE: tuple[POP3Command, ...] = (*authorization.COMMANDS, *transaction.COMMANDS, *update.COMMANDS)


@dataclass(frozen=True, slots=True)
class Dialect:
    """All that a session understands, and what it says of that."""

    commands: Mapping[str, POP3Command]
    capabilities: tuple[Announce, ...]


def dialect(extensions: Iterable[Extension] = EXTENSIONS, without: Collection[str] = ()) -> Dialect:
    """The base and some extensions. Raises `UnknownExtension` where `without` names one that is not there."""
    chosen = spoken(extensions, without, lambda each: each.name)
    commands = [*BASE, *(command for each in chosen for command in each.commands)]
    return Dialect(
        {command.name: command for command in commands},
        (*map(_always, chosen), *authorization.CAPABILITIES),
    )


def conversation(services: Services, without: Collection[str] = ()) -> Callable[[Channel], Awaitable[None]]:
    """What talks POP3 on a channel."""
    speaks = dialect(without=without)

    async def talk(channel: Channel) -> None:
        await converse(POP3Session(channel, services, speaks.commands, speaks.capabilities))

    return talk


def _always(extension: Extension) -> Announce:
    def announce(_: POP3Session) -> str:
        return extension.capability

    return announce
