"""One server for all hostile tests; after each of them it still serves others, its memory is back, and its log is clean."""

from collections.abc import Iterator

import pytest

from tests.hostile.talk import blocks, eventually, imap, pop3, secrets_in, serves_others
from tests.service import Server, mistakes, server, serving, tail

__all__ = ["server"]

LONGEST_BLOCK_MS = 10
"""Design, invariant 9: nobody waits longer for the loop."""
NOISE_MS = 15
"""What a machine adds that runs other things meanwhile, and counts as our own CPU time: caches gone cold, a processor shared."""
KEPT_OCTETS = 48 << 20
"""What one test may leave behind: caches that fill, and what the allocator keeps for the next one."""
SETTINGS = (
    "smtp.most_per_address=400",
    "smtp.message_octets=8MiB",
    "smtp.most_commands=1000000000",  # else a flood of them is soon over
    "login.failure_delay=0s",
    "tls.hello_timeout=1s",
)


@pytest.fixture(scope="session")
def one_for_all(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("hostile") / "data"
    with serving(folder, *SETTINGS, environment={"MAILHOST_WATCH_LOOP": "1"}) as one:
        with imap(one), pop3(one):  # the memory of a first login is nobody's attack
            pass
        yield one
        assert not secrets_in(one.log(), one)


@pytest.fixture
def victim(one_for_all: Server) -> Iterator[Server]:
    """The server that is maltreated. Its loop was never blocked, by its own account."""
    serves_others(one_for_all)
    told, resident = len(blocks(one_for_all)), one_for_all.resident_octets()
    yield one_for_all
    serves_others(one_for_all)
    eventually(lambda: one_for_all.resident_octets() - resident < KEPT_OCTETS)
    assert not mistakes(one_for_all.stderr), tail(one_for_all.stderr)
    assert one_for_all.process.poll() is None
    assert [block for block in blocks(one_for_all)[told:] if block > LONGEST_BLOCK_MS + NOISE_MS] == []
