"""All that this server speaks of SMTP: the base and its extensions, as one table."""

from collections.abc import Mapping

from mailhost.smtp.commands.data import DATA
from mailhost.smtp.commands.helo import EHLO, HELO
from mailhost.smtp.commands.mail import MAIL
from mailhost.smtp.commands.rcpt import RCPT
from mailhost.smtp.commands.small import SMALL
from mailhost.smtp.extensions import EXTENSIONS
from mailhost.smtp.extensions.extension import SMTPCommand

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
