"""Whether port 25 leads anywhere: most clouds and homes block it, and then every destination is silent alike."""

import time
from collections.abc import Callable
from datetime import timedelta

from mailhost.events.event import PORT_BLOCKED, PORT_OPEN, Events

SILENT_DESTINATIONS = 5
"""So many of them, and nobody who answers: it is not they."""
REMEMBERED = timedelta(hours=1).total_seconds()
MOST_REMEMBERED = 1_000
CURE = (
    "no mail host anywhere answers on port 25: this network or its provider seems to block it. Ask the provider to open it, "
    'or send through a smarthost: relay.routes = {"*" = "smtp:HOST:465"} with relay.user and relay.password_file'
)


class Reach:
    """What became of connections to MX hosts lately."""

    def __init__(self, events: Events | None = None, clock: Callable[[], float] = time.monotonic) -> None:
        self._events, self._clock = events, clock
        self._silent: dict[str, float] = {}
        self._reached = float("-inf")
        self.is_blocked = False

    @property
    def status(self) -> str:
        """For whoever asks how the relay is; empty when it is well."""
        return CURE if self.is_blocked else ""

    def reached(self) -> None:
        """Some host has answered, if only to refuse."""
        self._reached = self._clock()
        self._silent.clear()
        if self.is_blocked:
            self.is_blocked = False
            self._tell(PORT_OPEN, "hosts answer on port 25 again")

    def silent(self, destination: str) -> None:
        """All hosts of a destination were silent."""
        at = self._clock()
        self._silent.pop(destination, None)
        self._silent[destination] = at
        while self._silent and (
            len(self._silent) > MOST_REMEMBERED or at - next(iter(self._silent.values())) > REMEMBERED
        ):
            del self._silent[next(iter(self._silent))]
        if len(self._silent) >= SILENT_DESTINATIONS and at - self._reached > REMEMBERED and not self.is_blocked:
            self.is_blocked = True
            self._tell(PORT_BLOCKED, CURE)

    def _tell(self, kind: str, cause: str) -> None:
        if self._events is not None:
            self._events.publish(kind, cause=cause)
