"""Whether what was claimed is ours still: a machine that slept through its lease must not send what another node has sent meanwhile."""

from collections.abc import Callable

from mailhost.ids import Millis


class LeaseOver(Exception):
    """What was claimed is anybody's again."""


class Lease:
    """That of all that was claimed since it began; once it is over it stays so, and what is claimed then has another."""

    def __init__(self, clock: Callable[[], Millis], until: Millis) -> None:
        self._clock, self._until = clock, until
        self._has_ended = False

    @property
    def is_over(self) -> bool:
        self._has_ended = self._has_ended or self._clock() >= self._until
        return self._has_ended

    def renew(self, until: Millis) -> None:
        """The ledger says so."""
        if not self.is_over:
            self._until = until
