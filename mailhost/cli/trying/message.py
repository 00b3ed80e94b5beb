"""The message that is sent on trial, and whether it came back as it was."""

import secrets
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import format_datetime


@dataclass(frozen=True, slots=True)
class Trial:
    sender: str
    recipient: str
    message_id: str
    content: bytes


def trial(sender: str, recipient: str, host: str) -> Trial:
    """Its body has what often suffers on the way: dots at the beginning of lines, blanks at their end, Chinese, no last words."""
    message_id = f"<{secrets.token_hex(8)}.try@{host}>"
    lines = [
        f"From: <{sender}>",
        f"To: <{recipient}>",
        "Subject: mailhost try",
        f"Date: {format_datetime(datetime.now(UTC))}",
        f"Message-ID: {message_id}",
        "Auto-Submitted: auto-generated",
        "MIME-Version: 1.0",
        "Content-Type: text/plain; charset=utf-8",
        "Content-Transfer-Encoding: 8bit",
        "",
        "This message was sent by `mailhost try`, which takes it away again.",
        ".",
        "..two dots, and blanks at the end:   ",
        "中文",
        "",
    ]
    return Trial(sender, recipient, message_id, "".join(f"{line}\r\n" for line in lines).encode())


def is_intact(fetched: bytes, sent: Trial) -> bool:
    """The server adds fields of its own above what was sent, and changes nothing below."""
    added = fetched.removesuffix(sent.content)
    fields = added.splitlines()
    return 0 < len(added) < len(fetched) and all(b":" in line or line[:1] in (b" ", b"\t") for line in fields)
