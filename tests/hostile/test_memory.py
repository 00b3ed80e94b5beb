"""What hostile clients made the server take, it gives back."""

from contextlib import ExitStack

import pytest

from tests.hostile.talk import closed, eventually, greeted, serves_others
from tests.service import Server

pytestmark = pytest.mark.service

MIB = 1 << 20
CLIENTS = 45


@pytest.mark.parametrize("listener", ["smtp", "pop3"])
def test_many_clients_with_a_megabyte_of_garbage_each(victim: Server, listener: str) -> None:
    garbage = bytes(range(256)).replace(b"\n", b"") * (MIB // 255)
    measured = []
    for _ in range(3):
        ended = closed(victim)
        with ExitStack() as stack:
            clients = [stack.enter_context(greeted(victim, listener)) for _ in range(CLIENTS)]
            for client in clients:
                client.send(garbage)
            serves_others(victim)
        eventually(lambda before=ended: closed(victim) >= before + CLIENTS)  # type: ignore[misc]
        measured.append(victim.resident_octets())
    assert measured[-1] - measured[0] < 8 * MIB
