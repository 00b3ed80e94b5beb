"""Where mail for a recipient goes: decided at RCPT, so that acceptance looks nothing up."""

from dataclasses import dataclass

from mailhost.database.errors import Refused
from mailhost.database.transaction import Transaction
from mailhost.ids import DeliveryId, MessageId, fresh
from mailhost.message.address import Address
from mailhost.store import mailboxes
from mailhost.store.errors import MailboxMissing
from mailhost.store.values import MailboxKey
from mailhost.users import addresses
from mailhost.users.values import Local, Target


class RecipientUnknown(Refused):
    """Nobody of this name here."""


@dataclass(frozen=True, slots=True)
class Route:
    """One copy for one target: into a mailbox here, or waiting (for a mailbox that is not there, or for relay)."""

    delivery: DeliveryId
    message: MessageId
    address: str
    domain: str
    """The domain to relay to; "" for an account here."""
    mailbox: MailboxKey | None


@dataclass(frozen=True, slots=True)
class Recipient:
    """One accepted RCPT, with the routes that it stands for. An alias has a ledger row of its own, and its targets are children."""

    delivery: DeliveryId
    address: str
    expanded: bool
    routes: tuple[Route, ...]
    notify: str | None = None
    original: str | None = None

    @property
    def path(self) -> Address:
        local, _, domain = self.address.rpartition("@")
        return Address(local, domain)

    @property
    def is_local(self) -> bool:
        """Whether the recipient is this server's own to answer for."""
        return self.expanded or not self.routes[0].domain


def route(tx: Transaction, local_part: str, domain: str) -> Recipient:
    """Raises `RecipientUnknown`."""
    to = addresses.destination(tx, local_part, domain)
    if not to.targets:
        raise RecipientUnknown
    return Recipient(
        DeliveryId(fresh()), f"{local_part}@{domain}", to.expanded, tuple(_route(tx, target) for target in to.targets)
    )


def _route(tx: Transaction, target: Target) -> Route:
    ids = DeliveryId(fresh()), MessageId(fresh())
    if isinstance(target, Local):
        return Route(*ids, target.address, "", _inbox(tx, target))
    return Route(*ids, target.address, target.domain, None)


def _inbox(tx: Transaction, target: Local) -> MailboxKey | None:
    try:
        return MailboxKey(target.account, mailboxes.find(tx, target.account, mailboxes.INBOX).id)
    except MailboxMissing:
        return None
