"""UTF8: the client takes header fields in UTF-8 (RFC 6856). Who does not say so gets surrogates, so nothing is ever refused with [UTF8].

With USER, names and passwords may be UTF-8, as they may be without this command (RFC 6856 section 2.2).
"""

from mailhost.conversation.command import Command
from mailhost.message.form import Form
from mailhost.pop3 import responses
from mailhost.pop3.extensions.extension import Extension
from mailhost.pop3.grammar import Reader
from mailhost.pop3.responses import Answer
from mailhost.pop3.session import AUTHORIZATION, POP3Session


async def run(session: POP3Session, _: None) -> Answer:
    """Before the login, as sizes depend on it; there is no way back but STLS."""
    session.takes |= Form.UTF8
    return responses.UTF8_TAKEN


EXTENSION = Extension(
    "UTF8", rfc=6856, arguments="USER", commands=(Command("UTF8", AUTHORIZATION, Reader.nothing, run, rfc=6856),)
)
