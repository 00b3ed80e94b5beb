"""aioimaplib: the same day for a program on asyncio, which speaks TLS only; two of its sessions hear of each other."""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from aioimaplib import IMAP4_SSL

from tests.journeys.contents import CONTENTS, delivered, name_of
from tests.journeys.readers import Person, by_imap, by_pop3
from tests.journeys.writers import send
from tests.service import END_SECONDS, Server

pytestmark = pytest.mark.service

FOLDER = '"&TxqLrg-/2026 &,Y5UjA-"'
"""会议/2026 合同 as this client wants it: it neither quotes a name nor puts it into modified UTF-7."""


@asynccontextmanager
async def logged_in(server: Server, person: Person) -> AsyncIterator[IMAP4_SSL]:
    client = IMAP4_SSL("localhost", server.ports["imaps"], timeout=END_SECONDS, ssl_context=server.tls())
    await client.wait_hello_from_server()
    try:
        assert (await client.login(person.address, person.password)).result == "OK"
        yield client
        assert (await client.logout()).result == "OK"
    finally:
        client.protocol.transport.close()


async def done(client: IMAP4_SSL, command: str, *arguments: str) -> list[bytes]:
    """A command that must succeed; what the server told before its OK."""
    response = await getattr(client, command)(*arguments)
    assert response.result == "OK", response
    return list(response.lines[:-1])


async def octets(client: IMAP4_SSL) -> list[bytes]:
    """The selected mailbox."""
    (found,) = await done(client, "uid_search", "ALL")
    return [await fetched(client, uid.decode()) for uid in found.split()]


async def fetched(client: IMAP4_SSL, uid: str) -> bytes:
    told, content, _ = await done(client, "uid", "fetch", uid, "(RFC822.SIZE BODY.PEEK[])")
    size = re.search(rb"RFC822\.SIZE (\d+)", told)
    assert size is not None
    assert int(size[1]) == len(content)
    return bytes(content)


async def test_what_is_delivered_and_what_is_appended_comes_back(office: Server, alice: Person, bob: Person) -> None:
    await asyncio.to_thread(send, office, alice, bob)
    async with logged_in(office, bob) as client:
        await done(client, "select", "INBOX")
        served = await octets(client)
        assert [delivered(each).content for each in served] == list(CONTENTS.values())
        await done(client, "create", FOLDER)
        for content in CONTENTS.values():
            assert (await client.append(content, FOLDER, "\\Seen $Work")).result == "OK"
        await done(client, "select", FOLDER)
        assert await octets(client) == list(CONTENTS.values())
    assert by_pop3(office, bob) == served
    assert by_imap(office, bob, FOLDER) == list(CONTENTS.values())


async def test_folders_flags_copies_moves_and_expunges(office: Server, alice: Person, bob: Person) -> None:
    await asyncio.to_thread(send, office, alice, bob, "text", "dots", "8-bit", "Chinese")
    async with logged_in(office, bob) as client:
        await done(client, "create", FOLDER)
        await done(client, "subscribe", FOLDER)
        assert any(line.endswith(FOLDER.encode()) for line in await done(client, "list", '""', '"*"'))
        assert any(line.endswith(FOLDER.encode()) for line in await done(client, "lsub", '""', '"*"'))
        await done(client, "select", "INBOX")
        await done(client, "uid", "store", "1:2", "+FLAGS", "(\\Seen \\Flagged)")
        await done(client, "uid", "store", "2", "-FLAGS", "(\\Flagged)")
        assert await done(client, "uid_search", "SEEN") == [b"1 2"]
        assert await done(client, "uid_search", "FLAGGED") == [b"1"]
        await done(client, "uid", "copy", "1", FOLDER)
        await done(client, "uid", "move", "4", FOLDER)
        await done(client, "store", "2", "+FLAGS", "(\\Deleted)")
        assert b"2 EXPUNGE" in await done(client, "expunge")
        assert [name_of(each) for each in await octets(client)] == ["text", "8-bit"]
        (status,) = await done(client, "status", FOLDER, "(MESSAGES UNSEEN)")
        assert status.endswith(b"(MESSAGES 2 UNSEEN 1)")
    assert [name_of(each) for each in by_pop3(office, bob)] == ["text", "8-bit"]
    assert [name_of(each) for each in by_imap(office, bob, FOLDER)] == ["text", "Chinese"]
    async with logged_in(office, bob) as client:
        await done(client, "rename", FOLDER, "Later")
        await done(client, "delete", "Later")
        names = await done(client, "list", '""', '"*"')
        assert not any(name.endswith((b"Later", FOLDER.encode())) for name in names)


async def test_idle_hears_a_delivery_and_another_session(office: Server, alice: Person, bob: Person) -> None:
    async with logged_in(office, bob) as client, logged_in(office, bob) as other:
        await done(client, "select", "INBOX")
        await done(other, "select", "INBOX")
        idle = await client.idle_start(END_SECONDS)
        await asyncio.to_thread(send, office, alice, bob, "text")
        assert b"1 EXISTS" in await told(client, b"EXISTS")
        await done(other, "noop")
        await done(other, "store", "1", "+FLAGS", "(\\Flagged)")
        assert any(b"\\Flagged" in line for line in await told(client, b"FETCH"))
        await done(other, "store", "1", "+FLAGS", "(\\Deleted)")
        await done(other, "expunge")
        assert b"1 EXPUNGE" in await told(client, b"EXPUNGE")
        client.idle_done()
        assert (await asyncio.wait_for(idle, END_SECONDS)).result == "OK"
        assert await octets(client) == []


async def told(client: IMAP4_SSL, kind: bytes) -> list[bytes]:
    """What IDLE says until the first lines with a response of this kind."""
    while True:
        lines: list[bytes] = await client.wait_server_push(END_SECONDS)
        if any(kind in line for line in lines):
            return lines


async def test_an_unknown_ca_is_refused(office: Server) -> None:
    client = IMAP4_SSL("localhost", office.ports["imaps"], timeout=END_SECONDS)
    with pytest.raises(OSError, match="CERTIFICATE_VERIFY_FAILED"):
        await client.wait_hello_from_server()
