"""A hostile peer, at every verb: nothing it says makes mail count as taken, and nothing holds us for long or makes us keep much."""

import asyncio
import tracemalloc
from collections.abc import Awaitable, Callable
from itertools import count

import pytest

from mailhost.smtp.client.client import Client
from mailhost.smtp.client.dialogue import Timeouts
from mailhost.smtp.client.heard import Heard
from mailhost.transport.channel import ChannelError
from mailhost.transport.memory import MemoryWire
from tests.unit.smtp.client.peer import hang_up, message

SHORT = Timeouts(greeting=0.1, command=0.1, data=0.1, block=0.1, end=0.1, message=1.0)
USUAL = {"greeting": "220 x", "EHLO": "250 x", "MAIL": "250 x", "RCPT": "250 x", "DATA": "354 x", "dot": "250 taken"}
PIPELINED = USUAL | {"EHLO": "250-x\r\n250 PIPELINING"}


async def endless_line(wire: MemoryWire) -> None:
    wire.client_says(b"250 ")
    for _ in range(100):
        wire.client_says(b"x" * 64_000)
        await asyncio.sleep(0)


async def endless_reply(wire: MemoryWire) -> None:
    for _ in range(1_000):
        wire.client_says(b"250-and so on, and so on, and so on\r\n")
        await asyncio.sleep(0)


async def trickle(wire: MemoryWire) -> None:
    for _ in range(100):
        wire.client_says(b"2")
        await asyncio.sleep(0.01)


async def silence(wire: MemoryWire) -> None:
    return


async def close(wire: MemoryWire) -> None:
    hang_up(wire)


async def close_in_a_line(wire: MemoryWire) -> None:
    wire.client_says(b"250 almo")
    hang_up(wire)


def saying(octets: bytes) -> Callable[[MemoryWire], Awaitable[None]]:
    async def say(wire: MemoryWire) -> None:
        wire.client_says(octets)

    return say


FAULTS: dict[str, Callable[[MemoryWire], Awaitable[None]]] = {
    "4yz": saying(b"451 4.3.0 not now\r\n"),
    "5yz": saying(b"550 5.7.1 never\r\n"),
    "421": saying(b"421 4.3.2 bye\r\n"),
    "1yz": saying(b"150 soon\r\n"),
    "3yz": saying(b"399 go on\r\n"),
    "6yz": saying(b"650 what\r\n"),
    "no code": saying(b"OK\r\n"),
    "two codes": saying(b"250-yes\r\n550 no\r\n"),
    "garbage": saying(bytes(range(256)) + b"\r\n"),
    "HTTP": saying(b"HTTP/1.1 400 Bad Request\r\nServer: x\r\n\r\n"),
    "TLS": saying(b"\x15\x03\x01\x00\x02\x02\x46\r\n"),
    "an empty line": saying(b"\r\n"),
    "two replies": saying(b"250 yes\r\n250 and yes\r\n250 and yes\r\n250 and yes\r\n"),
    "354 and more": saying(b"354 go\r\n250 taken\r\n"),
    "endless line": endless_line,
    "endless reply": endless_reply,
    "trickle": trickle,
    "silence": silence,
    "close": close,
    "close in a line": close_in_a_line,
}


async def peer(
    wire: MemoryWire, replies: dict[str, str], step: str, fault: Callable[[MemoryWire], Awaitable[None]]
) -> None:
    """Answers as usual up to a step, and from then on with the fault, whatever is asked."""
    in_content, buffer, is_ill = False, b"", False

    async def answer(name: str) -> None:
        nonlocal is_ill, in_content
        is_ill = is_ill or name == step
        if is_ill:
            await fault(wire)
        else:
            wire.client_says(f"{replies[name]}\r\n".encode())
        in_content = name == "DATA" and not is_ill

    await answer("greeting")
    for _ in count():
        if wire.closed or wire.channel.closed:
            return
        buffer += bytes(wire.output)
        wire.output.clear()
        while b"\r\n" in buffer:
            line, _, buffer = buffer.partition(b"\r\n")
            if not in_content:
                verb = line.split(b" ")[0].decode()
                await answer("EHLO" if verb == "HELO" else verb if verb in replies else "MAIL")
            elif line == b".":
                in_content = False
                await answer("dot")
        await asyncio.sleep(0)


@pytest.mark.parametrize("replies", [USUAL, PIPELINED], ids=["one by one", "pipelined"])
@pytest.mark.parametrize("step", USUAL)
@pytest.mark.parametrize("fault", FAULTS)
async def test_no_fault_at_any_step_makes_mail_count_as_taken(fault: str, step: str, replies: dict[str, str]) -> None:
    wire = MemoryWire("relay")
    client = Client(wire.channel, "me.test", SHORT)
    playing = asyncio.ensure_future(peer(wire, replies, step, FAULTS[fault]))
    tracemalloc.start()
    try:
        async with asyncio.timeout(8):
            answers = await conversation(client)
        kept = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
        playing.cancel()
        await asyncio.gather(playing, return_exceptions=True)
    taken = [each for each in answers if isinstance(each, Heard) and each.is_good]
    says_yes_first = (
        step == "dot" and fault == "two replies"
    )  # that mail is taken: what is said too much comes after it
    assert bool(taken) is says_yes_first, answers
    assert wire.closed or wire.channel.closed
    assert kept < 4 << 20


async def conversation(client: Client) -> list[object]:
    """Two messages, as a lane would send them."""
    answers: list[object] = []
    try:
        await client.greet()
        for _ in range(2):
            if client.is_spent:
                break
            answers += (await client.send(message())).answers
    except ChannelError:
        pass
    finally:
        await client.quit()
    return answers
