"""A client that runs on: a test waits for what it says, and ends it."""

import subprocess
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager

from tests.service import END_SECONDS


@contextmanager
def watched(command: Sequence[str], environment: Mapping[str, str]) -> Iterator[Callable[[bytes], bytes]]:
    """Gives `until(words)`, which reads up to a line with these words; who never says them is killed, and the test fails."""
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as process:
        deadline = threading.Timer(2 * END_SECONDS, process.kill)
        deadline.start()
        said: list[bytes] = []

        def until(words: bytes) -> bytes:
            assert process.stdout is not None
            for line in process.stdout:
                said.append(line)
                if words in line:
                    return line
            raise AssertionError(b"".join(said)[-4_000:])

        try:
            yield until
        finally:
            deadline.cancel()
            process.terminate()
