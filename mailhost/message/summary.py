"""What names a message to people who ask for it: its subject, decoded, and its Message-ID."""

from mailhost.message.header_text import unstructured_text
from mailhost.message.headers import field_value

MOST_SUBJECT = 300
"""Characters; a trace shows one line."""
MOST_MESSAGE_ID = 250


def subject_of(header: bytes) -> str:
    """The Subject field as people read it; empty where there is none."""
    value = field_value(header, b"subject")
    return shown(unstructured_text(value))[:MOST_SUBJECT] if value else ""


def message_id_of(found: bytes) -> str:
    """A Message-ID with its angle brackets, as `structure.Scanned` has it."""
    return shown(found.decode("utf-8", "replace"))[:MOST_MESSAGE_ID]


def shown(text: str) -> str:
    """Without control characters, which no database, log or terminal should meet."""
    return text if text.isprintable() else "".join([c if c.isprintable() else "\ufffd" for c in text])
