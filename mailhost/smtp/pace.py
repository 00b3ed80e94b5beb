"""How long a message may take: a silence, the whole of it, and a rate below which a trickle holds its connection for nothing."""

import time
from collections.abc import Callable

from mailhost.smtp.session import SMTPSettings
from mailhost.transport.channel import Channel, TimedOut


class Pace:
    """Begins with the first octet of a message, or with a chunk that is thrown away."""

    __slots__ = ("_clock", "_octets", "_settings", "_started")

    def __init__(self, settings: SMTPSettings, clock: Callable[[], float] = time.monotonic) -> None:
        self._settings = settings
        self._clock = clock
        self._started = clock()
        self._octets = 0

    async def read(self, channel: Channel, most: int) -> bytes:
        """What has arrived, `most` octets at most. Raises `TimedOut`."""
        kept, channel.timeout = channel.timeout, self.patience()
        try:
            data = await channel.read_chunk(most)
        finally:
            channel.timeout = kept
        self._octets += len(data)
        return data

    def patience(self) -> float:
        """Seconds that the next piece may take. Raises `TimedOut` where none are left."""
        settings, passed = self._settings, self._clock() - self._started
        left = min(settings.data_timeout, settings.message_timeout - passed)
        if settings.least_rate:
            left = min(left, settings.data_timeout + self._octets / settings.least_rate - passed)
        if left <= 0:
            raise TimedOut
        return left
