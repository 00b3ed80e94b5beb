"""All that this server speaks of SMTP: the base and its extensions, as one table."""

from collections.abc import Awaitable, Callable, Mapping

from mailhost.conversation.loop import converse
from mailhost.conversation.services import Services
from mailhost.smtp.commands.data import DATA
from mailhost.smtp.commands.helo import EHLO, HELO
from mailhost.smtp.commands.mail import MAIL
from mailhost.smtp.commands.rcpt import RCPT
from mailhost.smtp.commands.small import SMALL
from mailhost.smtp.extensions import EXTENSIONS
from mailhost.smtp.extensions.extension import SMTPCommand
from mailhost.smtp.session import SMTPSession, SMTPSettings
from mailhost.transport.channel import Channel

COMMANDS: Mapping[str, SMTPCommand] = {
    command.name: command
    for command in (
        HELO,
        EHLO,
        MAIL,
        RCPT,
        DATA,
        *SMALL,
        *(command for extension in EXTENSIONS for command in extension.commands),
    )
}


def conversation(services: Services, settings: SMTPSettings) -> Callable[[Channel], Awaitable[None]]:
    """What talks SMTP on a channel."""

    async def talk(channel: Channel) -> None:
        await converse(SMTPSession(channel, services, COMMANDS, settings))

    return talk
