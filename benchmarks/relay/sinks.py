"""The far side: Postfix's own smtp-sink, one at each address, and what they count together."""

import os
import re
import selectors
import shutil
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager

COUNTED = re.compile(rb"mesg=(\d+)\r")
BACKLOG = "100"
READY_SECONDS = 10.0
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


class Sinks:
    """smtp-sink says its counters after each message (`-c`); a thread adds them up and notes when."""

    def __init__(self, pipes: Sequence[int]) -> None:
        self._counts = dict.fromkeys(pipes, 0)
        self._changed = threading.Condition()
        self.total = 0
        """Messages so far, whose last line has come."""
        self.last_at = 0.0
        """When that of the last one was counted, on the clock of `time.perf_counter`."""
        self._ends = False

    def wait(self, total: int, seconds: float) -> float:
        """Until so many are there; answers with when that was."""
        with self._changed:
            if not self._changed.wait_for(lambda: self.total >= total, seconds):
                sys.exit(f"only {self.total} of {total} messages came within {seconds:.0f} s")
            return self.last_at

    def read(self) -> None:
        """In a thread of its own, until `end`."""
        with selectors.DefaultSelector() as selector:
            for pipe in self._counts:
                selector.register(pipe, selectors.EVENT_READ)
            while not self._ends:
                for key, _ in selector.select(0.2):
                    self._take(key.fd, selector)

    def end(self) -> None:
        self._ends = True

    def _take(self, pipe: int, selector: selectors.BaseSelector) -> None:
        said = os.read(pipe, 65536)
        at = time.perf_counter()
        if not said:
            selector.unregister(pipe)
        if not (counts := COUNTED.findall(said)) or int(counts[-1]) == self._counts[pipe]:
            return
        with self._changed:
            self.total += int(counts[-1]) - self._counts[pipe]
            self._counts[pipe] = int(counts[-1])
            self.last_at = at
            self._changed.notify_all()


@contextmanager
def sinks(addresses: Sequence[str], port: int) -> Iterator[Sinks]:
    program = shutil.which("smtp-sink", path=PATH) or sys.exit("smtp-sink is wanted (Debian: postfix)")
    with ExitStack() as stack:
        processes = []
        for address in addresses:
            command = [program, "-c", "-m", "1000", "-u", "nobody", f"inet:{address}:{port}", BACKLOG]
            processes.append(stack.enter_context(subprocess.Popen(command, stdout=subprocess.PIPE)))
            stack.callback(processes[-1].kill)
        for address in addresses:
            _until_it_listens(address, port)
        counted = Sinks([each.stdout.fileno() for each in processes if each.stdout])
        reading = threading.Thread(target=counted.read)
        reading.start()
        try:
            yield counted
        finally:
            counted.end()
            reading.join()


def _until_it_listens(address: str, port: int) -> None:
    ends = time.monotonic() + READY_SECONDS
    while True:
        try:
            socket.create_connection((address, port)).close()
        except ConnectionRefusedError:
            if time.monotonic() > ends:
                raise
            time.sleep(0.01)
        else:
            return


def free_port(addresses: Sequence[str]) -> int:
    """One that nobody holds at any of them."""
    while True:
        try:
            with ExitStack() as stack:
                first = stack.enter_context(socket.create_server((addresses[0], 0)))
                port: int = first.getsockname()[1]
                for each in addresses[1:]:
                    stack.enter_context(socket.create_server((each, port)))
        except OSError:
            continue
        return port
