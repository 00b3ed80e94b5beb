"""The sweeper: takes away what is over its time, a little at once, so that nobody waits for it."""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta

from mailhost.database.database import Database
from mailhost.database.errors import CommitFailed
from mailhost.ids import BlobId, Millis, first_of, now
from mailhost.queue import entries, finished
from mailhost.store import blobs, expunged
from mailhost.store.blobs import Window
from mailhost.store.octets import BlobStore
from mailhost.trace import entries as entries_of_trace

IN_USE = (expunged.blobs_in_use(), entries.blobs_in_use())
"""Who may still name a blob."""


@dataclass(frozen=True, slots=True)
class SweepSettings:
    keep_expunged: timedelta = timedelta(days=7)
    keep_deliveries: timedelta = timedelta(days=30)
    keep_events: timedelta = timedelta(days=30)
    keep_blobs: timedelta = timedelta(hours=1)
    """How long octets stay that nothing names; the clocks of several nodes may differ by less."""
    orphan_age: timedelta = timedelta(hours=24)
    every: timedelta = timedelta(minutes=10)
    rows: int = 200
    """How much one transaction takes away."""
    windows: int = 500
    """How many times `rows` blobs one sweep looks at; the next one goes on from there."""


@dataclass(frozen=True, slots=True)
class Swept:
    """How much went."""

    expunged: int
    acceptances: int
    blobs: int
    files: int
    events: int = 0


class Sweeper:
    """One a database does it; several do no harm."""

    def __init__(
        self,
        database: Database,
        store: BlobStore,
        settings: SweepSettings | None = None,
        clock: Callable[[], Millis] = now,
    ) -> None:
        self._database = database
        self._store = store
        self.settings = settings or SweepSettings()
        self._clock = clock
        self._looked_at = BlobId(0)

    async def run(self) -> None:
        """Again and again. The task is the caller's to watch and to cancel."""
        while True:
            with suppress(CommitFailed, OSError):  # the database cannot be written now, or a folder read: the next time
                await self.sweep()
            await asyncio.sleep(self.settings.every.total_seconds())

    async def sweep(self) -> Swept:
        settings = self.settings
        gone = await self._all_of(expunged.forget, self._before(settings.keep_expunged))
        acceptances = await self._all_of(finished.forget, self._before(settings.keep_deliveries))
        events = await self._all_of(entries_of_trace.forget, self._before(settings.keep_events))
        return Swept(gone, acceptances, await self._sweep_blobs(), await self._sweep_files(), events)

    async def _all_of(self, forget: Callable[..., int], before: Millis) -> int:
        total = 0
        while count := await self._database.write(forget, before, self.settings.rows):
            total += count
        return total

    async def _sweep_blobs(self) -> int:
        """Read to find the dead, written only where some are; on from where the last sweep ended."""
        below = BlobId(first_of(self._before(self.settings.keep_blobs)))
        total = 0
        for _ in range(self.settings.windows):
            window = Window(self._looked_at, below, self.settings.rows)
            found = await self._database.read(blobs.unused, IN_USE, window)
            total += await self._remove(found.ids)
            self._looked_at = found.last or BlobId(0)
            if found.last is None:
                break
        return total

    async def _remove(self, ids: Sequence[BlobId]) -> int:
        if not ids:
            return 0
        removed = await self._database.write(blobs.remove_unused, IN_USE, ids)
        await self._remove_files(removed.files)
        return removed.count

    async def _sweep_files(self) -> int:
        """Files that have no row: their message was never accepted, or a crash came between row and file.

        What looks so is asked once more inside a write transaction, which sees every commit.
        """
        before = self._before(self.settings.orphan_age)
        files = await self._store.in_thread(lambda: self._store.files_before(BlobId(first_of(before)), before))
        total = 0
        for start in range(0, len(files), self.settings.rows):
            some = files[start : start + self.settings.rows]
            orphans = set(some) - await self._database.read(blobs.file_ids, some)
            if orphans:
                orphans -= await self._database.write(blobs.file_ids, sorted(orphans))
            await self._remove_files(sorted(orphans))
            total += len(orphans)
        return total

    async def _remove_files(self, ids: Sequence[BlobId]) -> None:
        for id_ in ids:
            with suppress(OSError):  # one that cannot be removed keeps nobody: it is found again as an orphan
                await self._store.in_thread(lambda id_=id_: self._store.remove_file(id_))  # type: ignore[misc]  # mypy loses the default's type

    def _before(self, age: timedelta) -> Millis:
        return Millis(self._clock() - int(age.total_seconds() * 1000))
