"""All that this server speaks of SMTP: the base and its extensions, as one table."""

from collections.abc import Awaitable, Callable, Collection, Iterable

from mailhost.conversation.dialect import spoken
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


def dialect(extensions: Iterable[Extension] = EXTENSIONS, without: Collection[str] = ()) -> Dialect:
    """The base and some extensions. Raises `UnknownExtension` where `without` names one that is not there."""
    extensions = spoken(extensions, without, lambda each: each.keyword)
    return Dialect(
        {each.name: each for each in (*BASE, *(command for extension in extensions for command in extension.commands))},
        tuple(extension.lines for extension in extensions),
        {name: take for extension in extensions for name, take in extension.mail.items()},
    )


def conversation(
    services: Services, settings: SMTPSettings, without: Collection[str] = ()
) -> Callable[[Channel], Awaitable[None]]:
    """What talks SMTP on a channel."""
    speaks = dialect(without=without)

    async def talk(channel: Channel) -> None:
        await converse(SMTPSession(channel, services, speaks, settings))

    return talk
