"""Who is here: the open connections of each account, so that a disabled one, or a new password, ends them at once."""

from collections import defaultdict
from collections.abc import Sequence

from mailhost.database.database import Database
from mailhost.database.hints import Hint, Hints, Kind
from mailhost.ids import AccountId
from mailhost.transport.channel import Channel
from mailhost.users.changes import AccountChanged


class Presence:
    """Filled by logins, emptied by the end of each conversation."""

    def __init__(self, database: Database, hints: Hints) -> None:
        self._channels: dict[AccountId, set[Channel]] = defaultdict(set)
        self._accounts: dict[Channel, AccountId] = {}
        database.subscribe(self._published)
        hints.subscribe(Kind.ACCOUNT, self._hinted)

    def enter(self, account: AccountId, channel: Channel) -> None:
        self.leave(channel)
        self._channels[account].add(channel)
        self._accounts[channel] = account

    def leave(self, channel: Channel) -> None:
        account = self._accounts.pop(channel, None)
        if account is not None:
            self._channels[account].discard(channel)
            if not self._channels[account]:
                del self._channels[account]

    def end(self, account: AccountId) -> None:
        """What is under way ends whole; its next command is not read."""
        for channel in tuple(self._channels.get(account, ())):
            channel.end("account")

    def _published(self, changes: Sequence[object]) -> None:
        for change in changes:
            if isinstance(change, AccountChanged):
                self.end(change.account)

    def _hinted(self, hint: Hint) -> None:
        self.end(AccountId(hint.id))
