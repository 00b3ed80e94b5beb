"""How long a message may take."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from mailhost.smtp.pace import Pace
from mailhost.smtp.session import SMTPSettings
from mailhost.transport.channel import TimedOut
from mailhost.transport.memory import MemoryWire
from tests.transcripts.world import World
from tests.unit.smtp.talk import begin, client, in_world, messages_of


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def pace(**settings: Any) -> tuple[Pace, Clock]:
    clock = Clock()
    return Pace(SMTPSettings(**settings), clock), clock


def read(one: Pace, octets: int) -> None:
    async def act() -> None:
        wire = MemoryWire()
        wire.client_says(b"x" * octets)
        assert len(await one.read(wire.channel, octets)) == octets
        assert wire.channel.timeout == 5.0  # the command's own again
        wire.channel.close()

    asyncio.run(act())


def test_a_silence_may_last_as_long_as_is_set_and_never_beyond_the_whole() -> None:
    one, clock = pace(data_timeout=60, message_timeout=100, least_rate=0)
    assert one.patience() == 60
    clock.now += 70
    assert one.patience() == 30
    clock.now += 30
    with pytest.raises(TimedOut):
        one.patience()


def test_a_trickle_is_cut_off_and_who_keeps_the_rate_is_not() -> None:
    one, clock = pace(data_timeout=60, message_timeout=100_000, least_rate=10)
    for _ in range(50):
        read(one, 100)
        clock.now += 10
        assert one.patience() == 60
    clock.now += 20
    assert one.patience() == 40
    for _ in range(4):
        clock.now += 9
        read(one, 1)
    clock.now += 9
    with pytest.raises(TimedOut):
        one.patience()


@pytest.mark.parametrize(
    "settings", [{"data_timeout": 0.05}, {"message_timeout": 0.05}], ids=["a silence", "the whole message"]
)
@pytest.mark.parametrize("command", [b"DATA\r\n", b"BDAT 100 LAST\r\n"])
def test_a_message_that_does_not_come_ends_in_421_and_leaves_nothing(
    settings: dict[str, Any], command: bytes, tmp_path: Path, template: Path
) -> None:
    async def act(here: World) -> None:
        async with client(here, **settings) as one:
            await begin(one, "bob", command=b"")
            await one.say(command + b"Subject: x\r\n")
            await asyncio.wait([one.task], timeout=5)
            assert bytes(one.wire.output).endswith(b"421 4.4.2 Timeout, closing the connection\r\n")
            assert one.wire.closed
        assert not [path for path in (here.folder / "blobs").rglob("*") if path.is_file()]
        assert await messages_of(here, "bob") == 0

    in_world(tmp_path, template, act)
