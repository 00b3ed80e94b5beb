"""MT-PRIORITY: the sender says how urgent a message is, and the more urgent one leaves the queue first (RFC 6710).

No profile is named: each of the 19 priorities is its own here.
"""

import re

from mailhost.smtp import replies
from mailhost.smtp.envelope import Envelope
from mailhost.smtp.extensions.extension import Extension, always
from mailhost.smtp.replies import Reply
from mailhost.smtp.session import SMTPSession

_PRIORITY = re.compile(r"0|-?[1-9]")


def priority(session: SMTPSession, envelope: Envelope, value: str) -> Reply | None:
    """priority-value = (["-"] NZDIGIT) / "0" (RFC 6710 section 7)"""
    if not _PRIORITY.fullmatch(value):
        return replies.BAD_ARGUMENTS.saying("MT-PRIORITY is a number from -9 to 9")
    asked, highest = int(value), session.settings.highest_priority
    envelope.priority, envelope.priority_is_changed = min(asked, highest), asked > highest
    return None


EXTENSION = Extension("MT-PRIORITY", 6710, always("MT-PRIORITY"), mail={"MT-PRIORITY": priority})
