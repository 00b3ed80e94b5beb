"""Where mail for a recipient goes: decided at RCPT, so that acceptance looks nothing up."""

from collections.abc import Sequence
from dataclasses import dataclass

from mailhost.database.errors import Refused
from mailhost.database.transaction import Transaction
from mailhost.ids import DeliveryId, MessageId, fresh
from mailhost.message.address import Address
from mailhost.store import mailboxes
from mailhost.store.errors import MailboxMissing
from mailhost.store.names import INBOX
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


@dataclass(frozen=True, slots=True)
class Place:
    """Where one target's mail goes, whatever the message."""

    address: str
    domain: str
    mailbox: MailboxKey | None


def resolve(tx: Transaction, local_part: str, domain: str) -> tuple[tuple[Place, ...], bool]:
    """The places that an address stands for, and whether it is an alias. No place: nobody of this name is here."""
    to = addresses.destination(tx, local_part, domain)
    return tuple(_place(tx, target) for target in to.targets), to.expanded


def recipient(address: str, places: Sequence[Place], *, expanded: bool) -> Recipient:
    """One RCPT, with identifiers for the rows that it may become. Raises `RecipientUnknown`."""
    if not places:
        raise RecipientUnknown
    routes = tuple(
        Route(DeliveryId(fresh()), MessageId(fresh()), place.address, place.domain, place.mailbox) for place in places
    )
    return Recipient(DeliveryId(fresh()), address, expanded, routes)


def _place(tx: Transaction, target: Target) -> Place:
    if isinstance(target, Local):
        return Place(target.address, "", _inbox(tx, target))
    return Place(target.address, target.domain, None)


def _inbox(tx: Transaction, target: Local) -> MailboxKey | None:
    try:
        return MailboxKey(target.account, mailboxes.find(tx, target.account, INBOX).id)
    except MailboxMissing:
        return None
