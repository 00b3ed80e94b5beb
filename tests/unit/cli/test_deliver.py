"""A program that never ends its message does not keep us for ever."""

import os
import signal
import time
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from mailhost.cli.deliver import in_time


@pytest.fixture
def pipe() -> Iterator[tuple[Any, Any]]:
    before = signal.getsignal(signal.SIGALRM)
    out, into = os.pipe()
    with os.fdopen(out, "rb") as reader, os.fdopen(into, "wb") as writer:
        yield reader, writer
    signal.setitimer(signal.ITIMER_REAL, 0)
    signal.signal(signal.SIGALRM, before)


def test_what_does_not_end_in_time_is_given_up(pipe: Any) -> None:
    reader, writer = pipe
    read = in_time(reader.read, timedelta(milliseconds=50))
    writer.write(b"Subject: x\n")
    writer.flush()
    started = time.monotonic()
    with pytest.raises(TimeoutError, match=r"smtp\.message_timeout"):
        read(1000)
    assert time.monotonic() - started >= 0.05


def test_at_its_end_the_clock_stops(pipe: Any) -> None:
    reader, writer = pipe
    read = in_time(reader.read, timedelta(hours=1))
    writer.write(b"Subject: x\n")
    writer.close()
    assert read(1000) == b"Subject: x\n"
    assert signal.getitimer(signal.ITIMER_REAL)[0] > 3000
    assert read(1000) == b""
    assert signal.getitimer(signal.ITIMER_REAL)[0] == 0
