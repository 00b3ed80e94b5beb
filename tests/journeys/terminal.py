"""A program on a terminal that a test plays: it reads what is shown, and types."""

import os
import pty
import select
import signal
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from tests.service import END_SECONDS


@dataclass
class Terminal:
    descriptor: int
    shown: bytes = b""

    def type(self, keys: str) -> None:
        os.write(self.descriptor, keys.encode())

    def until(self, words: str) -> None:
        """Fails where they aren't shown in time, or the program leaves before."""
        start = len(self.shown)
        for _ in self._more():
            if words.encode() in self.shown[start:]:
                return
        raise AssertionError(self.shown[start:])

    def until_shown(self, words: str, times: int) -> None:
        """As often as this since the beginning: what comes together with other words is not missed."""
        while self.shown.count(words.encode()) < times:
            if next(self._more(), False) is False:
                raise AssertionError(self.shown)

    def until_it_leaves(self) -> bytes:
        """All that it showed."""
        for _ in self._more():
            pass
        return self.shown

    def _more(self) -> Iterator[None]:
        end = time.monotonic() + 2 * END_SECONDS
        while (left := end - time.monotonic()) > 0 and select.select([self.descriptor], [], [], left)[0]:
            try:
                octets = os.read(self.descriptor, 65_536)
            except OSError:
                return  # it has left, and nobody holds the other end
            self.shown += octets
            yield


@contextmanager
def terminal(command: Sequence[str], environment: Mapping[str, str]) -> Iterator[Terminal]:
    """It is ended where it does not leave by itself."""
    child, descriptor = pty.fork()
    if child == 0:
        os.execvpe(command[0], [*command], {**environment, "TERM": "xterm"})
    try:
        yield Terminal(descriptor)
    finally:
        os.close(descriptor)
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
