"""A port that cannot be had is named together with the cure."""

import errno
import os

import pytest

from mailhost.transport.listening import PortBusy, PortForbidden, problem


@pytest.mark.parametrize(
    ("refused", "kind", "cure"),
    [
        (errno.EADDRINUSE, PortBusy, "end what listens there, or set another port"),
        (errno.EADDRNOTAVAIL, PortBusy, "server.bind is no address of this machine"),
        (errno.EACCES, PortForbidden, "CAP_NET_BIND_SERVICE"),
        (errno.EIO, PortBusy, "Input/output error"),
    ],
)
def test_the_cure_stands_behind_what_the_system_says(refused: int, kind: type[PortBusy], cure: str) -> None:
    found = problem("127.0.0.1", 25, OSError(refused, os.strerror(refused)))
    assert type(found) is kind
    assert str(found).startswith(f"cannot listen on 127.0.0.1 port 25: {os.strerror(refused)}")
    assert cure in str(found)
