"""SIGHUP: the settings and the certificate are read anew; what is wrong with them changes nothing, and is said."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from mailhost.config.doubts import doubts
from mailhost.config.problem import ConfigProblem
from mailhost.config.reload import reload
from mailhost.config.settings import Config
from mailhost.events.event import (
    CERTIFICATE_ENDS,
    FAULT,
    NEEDS_RESTART,
    RELOAD_REFUSED,
    RELOADED,
    SETTING_DOUBTFUL,
    Events,
)
from mailhost.transport import certificate, systemd
from mailhost.transport.tls import ServerTLS

Read = Callable[[], Config]
"""Reads the settings where they came from, and checks all of them. Raises `ConfigProblem`."""
DAY = timedelta(days=1)


class Reloading:
    """Keeps the settings in force."""

    def __init__(self, config: Config, tls: ServerTLS, events: Events) -> None:
        self.config = config
        self._tls = tls
        self._events = events
        self._certificate = certificate.read(config.tls.certificate).fingerprint

    async def run(self, asked: asyncio.Event, read: Read, take: Callable[[Config], None]) -> None:
        """Each time that it is asked for. `take` hands the settings to those who live by them; none of it may fail."""
        while True:
            await asked.wait()
            asked.clear()
            systemd.reloading()
            await self._reload(read, take)
            systemd.notify(systemd.READY)

    async def _reload(self, read: Read, take: Callable[[Config], None]) -> None:
        try:
            wanted, tls, shown = await asyncio.get_running_loop().run_in_executor(None, _read_all, read)
        except (ConfigProblem, OSError) as problem:
            self._events.publish(RELOAD_REFUSED, cause=f"{problem}; the settings stay as they were")
            return
        except Exception as fault:  # noqa: BLE001 - a fault here must not end the mail
            self._events.publish(FAULT, cause=f"reload: {fault!r}", data={"exception": fault})
            return
        found = reload(self.config, wanted)
        self.config = found.config
        self._tls.take(tls)
        take(found.config)
        for change in found.at_restart:
            self._events.publish(NEEDS_RESTART, cause=f"{change}, at the next start")
        data = {"changed": "; ".join(map(str, found.taken)) or "no setting"}
        if shown.fingerprint != self._certificate:
            self._certificate = shown.fingerprint
            data["certificate"] = f"a new one, until {shown.ends:%Y-%m-%d}"
        self._events.publish(RELOADED, data=data)
        self.tell_doubts()
        await self._tell_end()

    def tell_doubts(self) -> None:
        """Settings that do not go together."""
        for doubt in doubts(self.config):
            self._events.publish(SETTING_DOUBTFUL, cause=str(doubt))

    async def watch_certificate(self) -> None:
        """A word each day, while its end is near."""
        while True:
            await self._tell_end()
            await asyncio.sleep(DAY.total_seconds())

    async def _tell_end(self) -> None:
        path = self.config.tls.certificate
        try:
            found = await asyncio.get_running_loop().run_in_executor(None, certificate.read, path)
        except (OSError, ValueError):
            return  # it was read by root, and is in use
        if ending := certificate.end(found, datetime.now(UTC)):
            self._events.publish(CERTIFICATE_ENDS, cause=f"tls.certificate: {path} {ending}; {certificate.RENEW}")


def _read_all(read: Read) -> tuple[Config, ServerTLS, certificate.Certificate]:
    config = read()
    tls = ServerTLS(config.tls.certificate, config.tls.key)
    return config, tls, certificate.read(config.tls.certificate)
