"""All that this server speaks of SMTP: the base and its extensions, as one table."""

from collections.abc import Awaitable, Callable, Sequence

from mailhost.conversation.loop import converse
from mailhost.conversation.services import Services
from mailhost.smtp.commands.data import DATA
from mailhost.smtp.commands.helo import EHLO, HELO
from mailhost.smtp.commands.mail import MAIL
from mailhost.smtp.commands.rcpt import RCPT
from mailhost.smtp.commands.small import SMALL
from mailhost.smtp.extensions import EXTENSIONS
from mailhost.smtp.extensions.extension import Extension
from mailhost.smtp.session import Dialect, SMTPSession, SMTPSettings
from mailhost.transport.channel import Channel

BASE = (HELO, EHLO, MAIL, RCPT, DATA, *SMALL)
"""RFC 5321 section 4.1.1."""


def dialect(extensions: Sequence[Extension] = EXTENSIONS) -> Dialect:
    """The base and some extensions."""
    return Dialect(
        {each.name: each for each in (*BASE, *(command for extension in extensions for command in extension.commands))},
        tuple(extension.lines for extension in extensions),
        {name: take for extension in extensions for name, take in extension.mail.items()},
    )


DIALECT = dialect()


def conversation(services: Services, settings: SMTPSettings) -> Callable[[Channel], Awaitable[None]]:
    """What talks SMTP on a channel."""

    async def talk(channel: Channel) -> None:
        await converse(SMTPSession(channel, services, DIALECT, settings))

    return talk
