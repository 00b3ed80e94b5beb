"""What the wire log shows of a password that comes at the wrong moment."""

import asyncio
import base64
from pathlib import Path

from mailhost.events.event import Event
from mailhost.imap.dialect import conversation
from mailhost.transport.memory import MemoryWire
from tests.transcripts.world import world


async def test_a_response_behind_a_refused_authenticate_is_not_shown(tmp_path: Path, template: Path) -> None:
    secret = base64.b64encode(b"\0alice@example.org\0secret")
    async with world(tmp_path / "data", template=template) as here:
        seen: list[Event] = []
        here.services.events.subscribe(seen.append, lines=True)
        wire = MemoryWire()
        talk = asyncio.ensure_future(conversation(here.services)(wire.channel))
        wire.client_says(b"a AUTHENTICATE PLAIN\r\n%b\r\nb NOOP\r\nc LOGOUT\r\n" % secret)
        await talk
    shown = b"\n".join(event.octets for event in seen)
    assert b"a NO" in bytes(wire.output)
    assert secret not in shown
    assert b"b NOOP" in shown


async def test_a_line_that_is_too_long_ends_the_session_before_a_literal_behind_it_runs(
    tmp_path: Path, template: Path
) -> None:
    async with world(tmp_path / "data", template=template) as here:
        wire = MemoryWire()
        talk = asyncio.ensure_future(conversation(here.services)(wire.channel))
        wire.client_says(b"a NOOP " + b"x" * 70_000 + b"{9+}\r\nb CAPABILITY\r\n")
        await talk
    assert b"BAD" in wire.output
    assert b"b OK" not in wire.output
