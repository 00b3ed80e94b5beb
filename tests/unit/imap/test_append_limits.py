"""APPEND keeps to the bounds on what a message may cost, as SMTP does."""

from pathlib import Path

from mailhost.message.budget import Limits
from tests.transcripts.player import Client
from tests.transcripts.world import PASSWORD, world

MESSAGE = b"Content-Type: multipart/mixed; boundary=b\r\n\r\n" + b"--b\r\n\r\nA part\r\n" * 5 + b"--b--\r\n"


async def test_parts_beyond_the_limit_are_not_described(tmp_path: Path) -> None:
    async with world(tmp_path / "data", scan=Limits(parts=3)) as here:
        client = Client("imap", here, tls=True)
        await client.heard()
        await client.ask(f"a1 LOGIN alice@example.org {PASSWORD}\r\n".encode())
        await client.ask(b"a2 APPEND INBOX {%d+}\r\n%b\r\n" % (len(MESSAGE), MESSAGE))
        await client.ask(b"a3 SELECT INBOX\r\n")
        said = await client.ask(b"a4 FETCH 1 BODY\r\n")
        await client.leave()
    assert 0 < said.count(b'"TEXT" "PLAIN"') < 5
