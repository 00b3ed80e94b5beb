"""The envelope of one transaction (RFC 5321 section 2.3.1): who sends, to whom, and how."""

from dataclasses import dataclass, field

from mailhost.delivery.route import Recipient
from mailhost.ids import Millis
from mailhost.message.address import Address

BINARY = "BINARYMIME"


@dataclass(slots=True)
class Envelope:
    reverse_path: Address | None
    """None is the null one, of bounces."""
    body: str = "7BIT"
    smtputf8: bool = False
    """Whether addresses and header may hold UTF-8, and replies too (RFC 6531)."""
    envid: str | None = None
    """The sender's own name for this message, to find in a DSN (RFC 3461 section 4.4)."""
    ret: str | None = None
    """How much of the message a DSN is to bring back: FULL or HDRS (RFC 3461 section 4.3)."""
    release_at: Millis | None = None
    """When the message is to go on (RFC 4865); None is at once."""
    recipients: list[Recipient] = field(default_factory=list)

    @property
    def is_binary(self) -> bool:
        """Whether the message may hold any octet, and lines of any length (RFC 3030 section 3)."""
        return self.body == BINARY

    def addresses(self) -> list[str]:
        """Of those who were accepted so far."""
        return [each.address for each in self.recipients]


@dataclass(slots=True)
class Wishes:
    """What the sender wants to hear of one recipient (RFC 3461 sections 4.1 and 4.2)."""

    notify: str | None = None
    original: str | None = None
