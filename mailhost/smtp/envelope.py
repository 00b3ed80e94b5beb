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
    deliver_by: Millis | None = None
    """When it is late (RFC 2852)."""
    by_mode: str | None = None
    """What happens then: R returns it, N tells the sender; a T behind it asks for a trace."""
    priority: int | None = None
    """RFC 6710; None where nobody has asked for any, which is the same as 0."""
    priority_is_changed: bool = False
    """Whether a higher one was asked for than this listener grants."""
    recipients: list[Recipient] = field(default_factory=list)

    @property
    def is_late_before_release(self) -> bool:
        return self.release_at is not None and self.deliver_by is not None and self.deliver_by <= self.release_at

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
