"""Hints as Unix datagrams: each process has a socket in the run folder, under its number."""

import asyncio
import itertools
import os
import socket
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from mailhost.database.hints import MOST_OCTETS, Hints, packed

SUFFIX = ".hints"
AT_ONCE = 64
"""Datagrams read in one turn of the loop."""
_numbers = itertools.count()


class UnixHints(Hints):
    """Nothing here waits: a full queue or a vanished process loses the hint."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._folder = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        self._name = f"{os.getpid()}-{next(_numbers)}{SUFFIX}"
        with suppress(FileNotFoundError):  # of a process that had our number, and crashed
            os.unlink(self._name, dir_fd=self._folder)
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.setblocking(False)
        self._socket.bind(self._address(self._name))
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(self._socket, self._read)

    def send(self, lines: Sequence[str]) -> None:
        names = os.listdir(self._folder)  # noqa: PTH208 - the folder is known by its descriptor
        others = [name for name in names if name.endswith(SUFFIX) and name != self._name]
        for text in packed(lines) if others else ():
            for name in others:
                self._send(name, text.encode())

    async def close(self) -> None:
        self._loop.remove_reader(self._socket)
        self._socket.close()
        with suppress(FileNotFoundError):
            os.unlink(self._name, dir_fd=self._folder)
        os.close(self._folder)

    def _send(self, name: str, octets: bytes) -> None:
        try:
            self._socket.sendto(octets, self._address(name))
        except ConnectionRefusedError:  # it crashed, and left its name behind
            with suppress(FileNotFoundError):
                os.unlink(name, dir_fd=self._folder)
        except OSError:
            pass  # gone, or too slow: it will look by itself

    def _read(self) -> None:
        for _ in range(AT_ONCE):
            try:
                octets = self._socket.recv(2 * MOST_OCTETS)
            except OSError:
                return
            self.received(octets.decode("ascii", "replace"))

    def _address(self, name: str) -> str:
        """By way of the open folder: a socket's path may have 107 octets only, and folders have long names."""
        return f"/proc/self/fd/{self._folder}/{name}"
