"""What an extension of SMTP is: what EHLO says of it, and what it adds to commands (RFC 5321 section 2.2)."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from mailhost.smtp.session import MailParameter, RcptParameter, SMTPCommand, SMTPSession


@dataclass(frozen=True, slots=True)
class Extension:
    """One EHLO keyword."""

    keyword: str
    rfc: int
    lines: Callable[[SMTPSession], tuple[str, ...]]
    """What EHLO announces now; nothing where it would not work."""
    commands: tuple[SMTPCommand, ...] = ()
    mail: Mapping[str, MailParameter] = field(default_factory=dict)
    rcpt: Mapping[str, RcptParameter] = field(default_factory=dict)
    bodies: tuple[str, ...] = ()
    """What BODY may say."""
    codes: bool = False
    """Whether replies have enhanced codes."""
    needs: str = ""
    """The extension without which this one makes no sense."""


def always(line: str) -> Callable[[Any], tuple[str, ...]]:
    return lambda _: (line,)
