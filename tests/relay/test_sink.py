"""Against a server that others wrote: Postfix's smtp-sink, with each of its extensions switched off in turn."""

import asyncio
import email
import email.policy
import getpass
import os
import socket
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

import pytest

from mailhost.message.form import Form
from mailhost.relay.attempt import Connector, RelaySettings
from mailhost.relay.dns import Resolver
from mailhost.relay.routes import Routes
from mailhost.smtp.client.outgoing import Outgoing, To
from tests.relay.hosts import twisted_here
from tests.unit.smtp.client.peer import Text

pytestmark = pytest.mark.client("smtp-sink")

TEXT = "Subject: x\r\n\r\n.dot\r\nbödy\r\n..\r\n".encode()
QUOTED = b"Subject: x\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n=2Edot\r\nb=C3=B6dy\r\n"


@asynccontextmanager
async def sink(folder: Path, *options: str) -> AsyncIterator[int]:
    """The port of a sink that keeps each message as a file in the folder."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port: int = one.getsockname()[1]
    user = ["-u", getpass.getuser()] if os.geteuid() == 0 else []  # it does not run as root without being told to
    command = ["smtp-sink", *user, *options, "-d", f"{folder}/message.", f"127.0.0.1:{port}", "10"]
    process = subprocess.Popen(command, cwd=folder)
    try:
        for _ in range(200):
            with socket.socket() as one:
                if one.connect_ex(("127.0.0.1", port)) == 0:
                    break
            await asyncio.sleep(0.02)
        yield port
    finally:
        process.terminate()
        process.wait()


@pytest.mark.parametrize(
    ("options", "protocol", "content"),
    [
        ((), "smtp", TEXT),
        (("-p",), "smtp", TEXT),
        (("-8",), "smtp", QUOTED),
        (("-e",), "smtp", QUOTED),
        (("-L",), "lmtp", TEXT),
        (("-E",), "smtp", TEXT),
    ],
    ids=["all", "without PIPELINING", "without 8BITMIME", "HELO alone", "LMTP", "without enhanced codes"],
)
async def test_the_message_arrives(options: tuple[str, ...], protocol: str, content: bytes, tmp_path: Path) -> None:
    folder = tmp_path / "sink"
    folder.mkdir()
    async with twisted_here(), sink(folder, *options) as port:
        settings = RelaySettings("me.test", routes=Routes({"*": f"{protocol}:[127.0.0.1]:{port}"}))
        connector = Connector(Resolver([("127.0.0.1", 9)], timedelta(seconds=1)), settings)
        connection = await connector.open("blue.test")
        for _ in range(2):
            outgoing = Outgoing(
                "alice@red.test",
                [To("a@blue.test"), To("b@blue.test")],
                Text(TEXT, Form.EIGHTBIT, plain=QUOTED),
            )
            sent = await connection.client.send(outgoing)
            assert sent.broken is None
            assert [str(each)[:3] for each in sent.answers] == ["250", "250"]
        await connection.client.quit()
        kept = [path.read_bytes() for path in folder.iterdir()]
    assert len(kept) == 2
    for each in kept:
        found = email.message_from_bytes(each, policy=email.policy.compat32)
        assert found["X-Client-Proto"] == ("LMTP" if protocol == "lmtp" else "SMTP" if options == ("-e",) else "ESMTP")
        assert each.rstrip(b"\n").endswith(content.replace(b"\r\n", b"\n").rstrip(b"\n"))
