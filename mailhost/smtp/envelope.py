"""The envelope of one transaction (RFC 5321 section 2.3.1): who sends, to whom, and how."""

from dataclasses import dataclass, field

from mailhost.delivery.route import Recipient
from mailhost.message.address import Address


@dataclass(slots=True)
class Envelope:
    reverse_path: Address | None
    """None is the null one, of bounces."""
    declared_octets: int | None = None
    body: str = "7BIT"
    recipients: list[Recipient] = field(default_factory=list)
