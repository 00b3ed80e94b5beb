"""How many connections there may be: of all, and of one address."""

from collections import Counter


class ConnectionLimit:
    """Counts open connections of one listener."""

    def __init__(self, most: int, most_per_address: int) -> None:
        self._most = most
        self._most_per_address = most_per_address
        self._open: Counter[str] = Counter()

    def change(self, other: "ConnectionLimit") -> None:
        """Take over the bounds of another; who is connected stays."""
        self._most, self._most_per_address = other._most, other._most_per_address  # noqa: SLF001 - its own kind

    def enter(self, address: str) -> bool:
        """Whether one more from `address` may come in; if so it is counted until `leave`."""
        if self._open.total() >= self._most or self._open[address] >= self._most_per_address:
            return False
        self._open[address] += 1
        return True

    def leave(self, address: str) -> None:
        self._open[address] -= 1
        if not self._open[address]:
            del self._open[address]
