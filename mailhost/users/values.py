"""What the user database takes and gives."""

from dataclasses import dataclass
from typing import TypeAlias

from mailhost.ids import AccountId


@dataclass(frozen=True, slots=True)
class Account:
    """Somebody with mailboxes here."""

    id: AccountId
    address: str
    disabled: bool
    auth_version: int
    leaving: bool = False
    """Its deletion has begun: nobody logs in, and no mail is taken for it."""


@dataclass(frozen=True, slots=True)
class Alias:
    """Another name, and what it stands for: one address, or several, which are a group."""

    address: str
    targets: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Local:
    """An account of this server."""

    account: AccountId
    address: str


@dataclass(frozen=True, slots=True)
class Remote:
    """An address that other hosts answer for."""

    address: str
    domain: str


Target: TypeAlias = Local | Remote


@dataclass(frozen=True, slots=True)
class Destination:
    """Where mail for one recipient goes: nowhere (unknown), or to each of the targets."""

    targets: tuple[Target, ...]
    expanded: bool = False
    """Whether the recipient was an alias, and the targets are what it stands for."""


@dataclass(frozen=True, slots=True)
class Login:
    """Who has logged in."""

    account: AccountId
    address: str
