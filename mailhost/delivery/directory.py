"""Who answers for an address, remembered: RCPT asks for the same few again and again.

A change of accounts, aliases or domains empties it at once, from another process by its hint; a lost hint costs 30 seconds.
"""

import time
from collections.abc import Callable, Sequence

from mailhost.database.database import Database
from mailhost.delivery.route import Place, Recipient, recipient, resolve
from mailhost.users.changes import DirectoryChanged
from mailhost.users.domains import list_all

REMEMBERED_SECONDS = 30.0
MOST_REMEMBERED = 10_000


class Directory:
    """Answers RCPT."""

    def __init__(self, database: Database, clock: Callable[[], float] = time.monotonic) -> None:
        self._database = database
        self._clock = clock
        self._known: dict[tuple[str, str], tuple[float, tuple[Place, ...], bool]] = {}
        self._generation = 0
        database.subscribe(self._published)

    async def route(self, local_part: str, domain: str) -> Recipient:
        """Where mail for an address goes. Raises `RecipientUnknown`."""
        key = local_part, domain
        known = self._known.get(key)
        if known is None or known[0] < self._clock():
            generation = self._generation
            places, expanded = await self._database.read(resolve, *key)
            known = self._clock() + REMEMBERED_SECONDS, places, expanded
            if generation == self._generation:  # nothing changed while we read
                self._remember(key, known)
        return recipient(f"{local_part}@{domain}", known[1], expanded=known[2])

    async def home(self, host: str) -> str:
        """The domain whose postmaster answers for the server itself (RFC 5321 section 4.5.1)."""
        domains = await self._database.read(list_all)
        return host if host in domains or not domains else domains[0]

    async def postmaster_of(self, domain: str, host: str) -> str:
        """The domain of the postmaster whom somebody of `domain` knows: his own, where it is ours."""
        return domain if domain in await self._database.read(list_all) else await self.home(host)

    def forget(self) -> None:
        """Something changed."""
        self._generation += 1
        self._known.clear()

    def _remember(self, key: tuple[str, str], known: tuple[float, tuple[Place, ...], bool]) -> None:
        if len(self._known) >= MOST_REMEMBERED:
            self._known.clear()
        self._known[key] = known

    def _published(self, changes: Sequence[object]) -> None:
        if any(isinstance(change, DirectoryChanged) for change in changes):
            self.forget()
