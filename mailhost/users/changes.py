"""What changed in the user database: announced in the transaction, published after its commit."""

from dataclasses import dataclass

from mailhost.database.hints import Hint, Kind
from mailhost.ids import AccountId


@dataclass(frozen=True, slots=True)
class DirectoryChanged:
    """Accounts, aliases or domains: whoever remembers whom an address stands for looks again."""

    def hint(self) -> Hint:
        return Hint(Kind.SETTINGS)


@dataclass(frozen=True, slots=True)
class AccountChanged:
    """Its password changed, or it was disabled: its sessions end."""

    account: AccountId

    def hint(self) -> Hint:
        return Hint(Kind.ACCOUNT, self.account)
