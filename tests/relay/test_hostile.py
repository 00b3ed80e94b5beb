"""An evil host at each step of the dialogue, each evil at each step: what the ledger says in the end is true, and nobody is held for long."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import timedelta
from pathlib import Path

import pytest

from mailhost.database.database import Database
from mailhost.delivery.directory import Directory
from mailhost.events.event import QUEUE_DEFER, QUEUE_DONE, Event, Events
from mailhost.queue import entries
from mailhost.queue.values import Acceptance, Delivery, State
from mailhost.relay.attempt import Connector, RelaySettings
from mailhost.relay.dns import Resolver
from mailhost.relay.handshake import Smarthost
from mailhost.relay.notices import Notices, NoticeSettings
from mailhost.relay.routes import Routes
from mailhost.relay.schedule import Schedule
from mailhost.relay.worker import Relay, Settings
from mailhost.smtp.client.dialogue import Timeouts
from mailhost.store.octets import BlobStore
from tests.engines import Place
from tests.relay.evil import EVILS, MOST_WRITTEN, Evil, saying
from tests.relay.hosts import certificates, serving, twisted_here
from tests.relay.waiting import accepted, store

pytestmark = pytest.mark.slow

QUICK = Timeouts(greeting=0.8, command=0.8, data=0.8, block=0.8, end=0.8, message=3)
SECONDS = 40
TEXT = b"Subject: x\r\n\r\nbody\r\n"
BINARY = b"MIME-Version: 1.0\r\nContent-Type: application/octet-stream\r\nContent-Transfer-Encoding: binary\r\n\r\n\0\n"
HOURS = (timedelta(hours=1),)
PLAIN = ["8BITMIME"]
MOST_TAKEN = 16 << 20
"""Octets of an endless answer that get out, with what sockets and system hold."""

W, B, R = State.WAITING, State.BOUNCED, State.RELAYED
REFUSED = {"5yz": B, "521": B}
ALL_RELAYED = dict.fromkeys(EVILS, R)
TABLE: dict[str, Mapping[str, State]] = {
    "greeting": {"521": B},  # any other refusal there is about us, or about now (RFC 7504 section 3)
    # Whoever does not know EHLO, or hangs up at it, may know HELO.
    "EHLO": {"5yz": R, "521": R, "close": R, "close in a line": R, "reset": R, "two codes": W},
    "HELO": {"521": B},
    "STARTTLS": ALL_RELAYED,
    "MAIL": REFUSED,
    "RCPT": REFUSED,
    "DATA": REFUSED,
    "content": REFUSED,
    "dot": REFUSED,
    "BDAT": REFUSED,
    "QUIT": ALL_RELAYED,
}
"""What is not WAITING after one try."""


@pytest.fixture
def place(sqlite_place: Place) -> Place:
    """The dialogue knows nothing of the engine."""
    return sqlite_place


def host_for(step: str, evil: str) -> Evil:
    extensions = {
        "STARTTLS": [*PLAIN, "STARTTLS"],
        "BDAT": [*PLAIN, "CHUNKING", "BINARYMIME"],
        "RSET": PLAIN,
        "RCPT": PLAIN,
    }
    host = Evil(extensions=extensions.get(step, [*PLAIN, "PIPELINING"]), step=step, act=EVILS[evil])
    if step == "HELO":
        host.replies["EHLO"] = "502 what"
    if step == "RSET":
        host.replies["RCPT"] = "550 5.1.1 nobody"
    return host


@asynccontextmanager
async def relaying(
    database: Database, blobs: BlobStore, settings: RelaySettings, schedule: Schedule = Schedule(HOURS)
) -> AsyncIterator[asyncio.Event]:
    """A relay at work; the event says that something has come to its end."""
    events, news = Events(), asyncio.Event()

    def hear(event: Event) -> None:
        if event.kind in (QUEUE_DONE, QUEUE_DEFER):
            news.set()

    events.subscribe(hear)
    told = Notices(database, blobs, Directory(database), events, schedule, NoticeSettings("me.test"))
    connector = Connector(Resolver([("127.0.0.1", 9)], timedelta(seconds=1)), settings)
    relay = Relay(database, blobs, events, connector, told, "node 0", Settings())
    task = asyncio.ensure_future(relay.run())
    try:
        yield news
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def tried_once(
    database: Database, folder: Path, hosts: Mapping[str, Evil], *, binary: bool = False
) -> dict[str, Delivery]:
    """A message to each host, all at one time; the row of each after its try."""
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(twisted_here())
        ports = {name: await stack.enter_async_context(serving(host)) for name, host in hosts.items()}
        domains = {name: f"{name.replace(' ', '-').lower()}.test" for name in hosts}
        routes = Routes({domains[name]: f"smtp:[127.0.0.1]:{port}" for name, port in ports.items()})
        blobs = store(database, folder)
        body, text = ("BINARYMIME", BINARY) if binary else ("7BIT", TEXT)
        mail = {
            name: await accepted(database, blobs, text, f"a@{domain}", reverse_path="", body=body)
            for name, domain in domains.items()
        }
        settings = RelaySettings("me.test", timeouts=QUICK, routes=routes)
        news = await stack.enter_async_context(relaying(database, blobs, settings))
        return await ended(database, mail, news)


async def ended(database: Database, mail: Mapping[str, Acceptance], news: asyncio.Event) -> dict[str, Delivery]:
    """When each of them has been tried."""
    rows: dict[str, Delivery] = {}
    try:
        async with asyncio.timeout(SECONDS):
            while len(rows) < len(mail):
                await news.wait()
                news.clear()
                for name, one in mail.items():
                    (row,) = await database.read(entries.of_journey, one.journey)
                    if row.tries:
                        rows[name] = row
    except TimeoutError:
        raise AssertionError(f"held for ever: {mail.keys() - rows.keys()}") from None
    return rows


def check(rows: Mapping[str, Delivery], hosts: Mapping[str, Evil], wanted: Mapping[str, State]) -> None:
    """As the table has it; taken exactly once where we say so, and never where we don't; and the host is left, however it goes on."""
    for name, row in rows.items():
        host = hosts[name]
        assert row.state is wanted.get(name, W), (name, row)
        assert len(host.contents) == (row.state is R), (name, row)
        assert row.tries == 1, name
        assert host.met, name
        assert host.was_left, name
        assert host.written < min(MOST_TAKEN, MOST_WRITTEN), name
        assert len(row.reply or "") < 2_000, name
        assert row.state is R or row.status, name


@pytest.mark.parametrize("step", TABLE)
async def test_each_evil_at_each_step(database: Database, tmp_path: Path, step: str) -> None:
    hosts = {evil: host_for(step, evil) for evil in EVILS}
    check(await tried_once(database, tmp_path, hosts, binary=step == "BDAT"), hosts, TABLE[step])


async def test_an_answer_is_kept_whatever_comes_of_rset(database: Database, tmp_path: Path) -> None:
    """All recipients were refused, for good; then the host goes mad."""
    hosts = {evil: host_for("RSET", evil) for evil in EVILS}
    check(await tried_once(database, tmp_path, hosts), hosts, dict.fromkeys(EVILS, B))


INJECTED = {
    "a reply": b"220 go\r\n250 injected\r\n",
    "a whole dialogue": b"220 go\r\n250-evil\r\n250 PIPELINING\r\n250 ok\r\n250 ok\r\n354 go\r\n250 taken\r\n",
    "half a reply": b"220 go\r\n25",
}
UNASKED = {
    "DATA": b"354 go\r\n250 taken\r\n",
    "RCPT": b"250 ok\r\n354 go\r\n250 taken\r\n",
    "MAIL": b"250 ok\r\n250 ok\r\n354 go\r\n250 taken\r\n",
    "EHLO": b"250 evil\r\n250 ok\r\n250 ok\r\n354 go\r\n250 taken\r\n",
    "greeting": b"220 evil\r\n250 evil\r\n250 ok\r\n250 ok\r\n354 go\r\n250 taken\r\n",
}


async def test_what_is_injected_behind_starttls_is_no_answer(database: Database, tmp_path: Path) -> None:
    """Neither within TLS nor in clear: the mail waits until nobody is in between."""
    hosts = {name: Evil(extensions=["STARTTLS"], step="STARTTLS", act=saying(it)) for name, it in INJECTED.items()}
    check(await tried_once(database, tmp_path, hosts), hosts, {})


async def test_replies_before_they_are_asked_take_no_mail(database: Database, tmp_path: Path) -> None:
    hosts = {step: Evil(extensions=PLAIN, step=step, act=saying(it)) for step, it in UNASKED.items()}
    check(await tried_once(database, tmp_path, hosts), hosts, {})


async def test_an_evil_smarthost_at_the_login_keeps_all_mail_waiting(database: Database, tmp_path: Path) -> None:
    """A wrong password is mended by the administrator: no mail is returned for it, be the answer as final as it may."""
    made, context = certificates(tmp_path / "tls", "127.0.0.1")
    secret = tmp_path / "password"
    secret.touch(0o600)
    secret.write_text("pencil\n")
    for evil, act in EVILS.items():
        host = Evil(extensions=["AUTH PLAIN"], step="AUTH", act=act, context=context, implicit_tls=True)
        async with twisted_here(), serving(host) as port:
            blobs = store(database, tmp_path)
            settings = RelaySettings(
                "me.test",
                timeouts=QUICK,
                routes=Routes({"*": f"smtps:[127.0.0.1]:{port}"}, logs_in=True),
                smarthost=Smarthost("user", secret, made.ca),
            )
            async with relaying(database, blobs, settings) as news:
                one = await accepted(database, blobs, TEXT, "a@blue.test", reverse_path="")
                rows = await ended(database, {evil: one}, news)
        check(rows, {evil: host}, {})
        await database.write(entries.cancel, rows[evil].id, "tried", one.at)
