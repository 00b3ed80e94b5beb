"""All that this server speaks of SMTP: the base and its extensions, as one table."""

from collections.abc import Awaitable, Callable, Collection, Iterable

from mailhost.conversation.dialect import spoken
from mailhost.conversation.loop import converse
from mailhost.conversation.services import Services
from mailhost.smtp.commands.data import DATA
from mailhost.smtp.commands.helo import EHLO, HELO
from mailhost.smtp.commands.help import HELP
from mailhost.smtp.commands.mail import MAIL
from mailhost.smtp.commands.rcpt import RCPT
from mailhost.smtp.commands.small import SMALL
from mailhost.smtp.commands.vrfy import EXPN, VRFY
from mailhost.smtp.extensions import EXTENSIONS
from mailhost.smtp.extensions.extension import Extension
from mailhost.smtp.session import Dialect, SMTPSession, SMTPSettings
from mailhost.transport.channel import Channel

BASE = (HELO, EHLO, MAIL, RCPT, DATA, VRFY, EXPN, HELP, *SMALL)
"""RFC 5321 section 4.1.1."""


def dialect(extensions: Iterable[Extension] = EXTENSIONS, without: Collection[str] = ()) -> Dialect:
    """The base and some extensions. Raises `UnknownExtension` where `without` names one that is not there."""
    extensions = _whole(spoken(extensions, without, lambda each: each.keyword))
    return Dialect(
        commands={
            each.name: each
            for each in (*BASE, *(command for extension in extensions for command in extension.commands))
        },
        announced=tuple(extension.lines for extension in extensions),
        mail={name: take for extension in extensions for name, take in extension.mail.items()},
        rcpt={name: take for extension in extensions for name, take in extension.rcpt.items()},
        bodies=tuple(body for extension in extensions for body in extension.bodies),
        codes=any(extension.codes for extension in extensions),
    )


def _whole(extensions: tuple[Extension, ...]) -> tuple[Extension, ...]:
    """Those that have what they need."""
    spoken_here = {each.keyword for each in extensions}
    return tuple(each for each in extensions if not each.needs or each.needs in spoken_here)


def conversation(
    services: Services, settings: SMTPSettings, without: Collection[str] = ()
) -> Callable[[Channel], Awaitable[None]]:
    """What talks SMTP on a channel."""
    speaks = dialect(without=without)

    async def talk(channel: Channel) -> None:
        await converse(SMTPSession(channel, services, speaks, settings))

    return talk
