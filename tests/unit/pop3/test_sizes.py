"""The sizes that LIST tells are those of what RETR sends, also for what IMAP appended with other line ends (RFC 1939 section 11)."""

import asyncio
from pathlib import Path

import pytest

from mailhost.imap.dialect import conversation as imap
from mailhost.message.form import Form
from mailhost.pop3.dialect import conversation as pop3
from mailhost.transport.memory import MemoryWire
from tests.transcripts.world import PASSWORD, world


@pytest.mark.parametrize(
    "content", [b"A: b\n\nbody\n", b"A: b\r\n\r\nno end", b"A: b\r\rold\r", b"A: b\r\n\r\nwhole\r\n", b"x"]
)
async def test_an_appended_message_is_as_long_as_list_says(content: bytes, tmp_path: Path, template: Path) -> None:
    async with world(tmp_path / "data", template=template, allow_plaintext=True) as here:
        writer = MemoryWire()
        appended = asyncio.ensure_future(imap(here.services)(writer.channel))
        writer.client_says(b"1 LOGIN alice@example.org %s\r\n" % PASSWORD.encode())
        writer.client_says(b"2 APPEND INBOX {%d+}\r\n%s\r\n3 LOGOUT\r\n" % (len(content), content))
        await appended
        assert b"2 OK" in writer.output
        reader = MemoryWire()
        read = asyncio.ensure_future(pop3(here.services)(reader.channel))
        reader.client_says(b"USER alice@example.org\r\nPASS %s\r\nLIST 1\r\nRETR 1\r\nQUIT\r\n" % PASSWORD.encode())
        await read
    listed = int(bytes(reader.output).partition(b"+OK 1 ")[2].partition(b"\r\n")[0])
    sent = bytes(reader.output).partition(b" octets\r\n")[2].partition(b"\r\n.\r\n")[0] + b"\r\n"
    assert len(sent) == listed


UTF8 = "From: 张 <a@例子.example>\r\nSubject: 会议\r\n\r\nx\r\n".encode()
BINARY = b"Subject: x\r\nContent-Transfer-Encoding: binary\r\n\r\n\0.\r\n.\r\0\r\nend"
BOTH = "Subject: 会议\r\nContent-Transfer-Encoding: binary\r\n\r\n\0\r\n".encode()


@pytest.mark.parametrize("mode", [b"", b"UTF8\r\n"], ids=["plain", "UTF8"])
@pytest.mark.parametrize("content", [UTF8, BINARY, BOTH], ids=["in UTF-8", "binary", "both"])
async def test_a_message_is_as_long_as_list_says_in_each_form_and_nul_is_never_served(
    content: bytes, mode: bytes, tmp_path: Path, template: Path
) -> None:
    async with world(tmp_path / "data", template=template, allow_plaintext=True) as here:
        await here.deliver(content, prefix=b"Return-Path: <>\r\n", may_hold=Form.UTF8 | Form.BINARY)
        reader = MemoryWire()
        read = asyncio.ensure_future(pop3(here.services)(reader.channel))
        login = b"USER alice@example.org\r\nPASS %s\r\n" % PASSWORD.encode()
        reader.client_says(mode + login + b"STAT\r\nLIST 1\r\nRETR 1\r\nTOP 1 9\r\nQUIT\r\n")
        await read
    said = bytes(reader.output)
    listed = int(said.partition(b"+OK 1 ")[2].partition(b"\r\n")[0])
    assert said.count(b"+OK 1 %d\r\n" % listed) == 2  # STAT and LIST
    retrieved = said.partition(b" octets\r\n")[2].partition(b"\r\n.\r\n")[0] + b"\r\n"
    assert len(retrieved) - retrieved.count(b"\r\n..") == listed
    assert b"\0" not in said
    assert (content in said) == (content == UTF8 and bool(mode))
