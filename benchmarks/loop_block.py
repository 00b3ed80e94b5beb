"""The longest block of the server's loop, in ms: `python -m benchmarks.loop_block`. At most 10 is the rule (docs/architecture.md).

A whole server in a process of its own watches itself (MAILHOST_WATCH_LOOP=1). `wall` is how late a timer came, `cpu` what the process
computed meanwhile, in all of its threads; where it is far below, the machine was busy with others. "<10": no timer was later.
Each step is done several times, for chance has a part in it.
"""

import argparse
import asyncio
import imaplib
import poplib
import re
import socket
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from benchmarks.accepts import message
from benchmarks.receive import read_reply
from benchmarks.report import heading, say, scratch
from mailhost.administration.opening import blob_store, open_database
from mailhost.config.load import load
from mailhost.database.transaction import Transaction
from mailhost.ids import MessageId, fresh, now
from mailhost.message.structure import scan
from mailhost.store import blobs, mailboxes, messages
from mailhost.store.names import INBOX
from mailhost.store.values import Flags, MailboxKey, NewMessage, PreparedBlob
from mailhost.users import accounts
from tests.service import Server, serving

LARGE = 50_000
EXPUNGED = 10_000
CONNECTIONS = 50
PAGE = 250
BLOCKED = re.compile(
    r"loop\.blocked.*?\bcpu_ms=(\d+).*?\blate_ms=(\d+)|loop\.blocked.*?\blate_ms=(\d+).*?\bcpu_ms=(\d+)"
)
PLAIN = re.compile(r"\x1b\[[0-9;]*m")


@dataclass(frozen=True)
class Bench:
    server: Server
    rounds: int

    def measure(self, name: str, work: Callable[[int], object]) -> None:
        """Do it, and say what the server's log tells of the loop meanwhile."""
        time.sleep(0.1)
        before = len(self.server.log())
        started = time.perf_counter()
        for number in range(self.rounds):
            work(number)
        elapsed = (time.perf_counter() - started) / self.rounds
        time.sleep(0.1)
        found = [late_and_cpu(line) for line in PLAIN.sub("", self.server.log()[before:]).splitlines()]
        blocks = [each for each in found if each]
        late, cpu = max(blocks, default=(0, 0))
        most_cpu = max((each[1] for each in blocks), default=0)
        shown = f"{late:>8} {cpu:>8} {most_cpu:>13}" if blocks else f"{'<10':>8} {'':>8} {'':>13}"
        say(f"{name:<44} {elapsed:>8.2f} {shown} {len(blocks):>7}")

    def imap(self) -> imaplib.IMAP4:
        client = imaplib.IMAP4_SSL("127.0.0.1", self.server.ports["imaps"], ssl_context=self.server.tls())
        client._MAXLINE = 1 << 30  # type: ignore[attr-defined]
        client.login(self.server.addresses[0], self.server.password)
        return client


def late_and_cpu(line: str) -> tuple[int, int] | None:
    found = BLOCKED.search(line)
    if found is None:
        return None
    cpu, late = (found[1], found[2]) if found[1] else (found[4], found[3])
    return int(late), int(cpu)


# Mail by SMTP.


def send_from_many(server: Server, octets: int, times: int, _: int = 0) -> None:
    threads = [threading.Thread(target=send, args=(server, number, octets, times)) for number in range(CONNECTIONS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def send(server: Server, number: int, octets: int, times: int) -> None:
    content = message(number, octets) + b".\r\n"
    with socket.create_connection(("127.0.0.1", server.ports["smtp"]), timeout=120) as wire:
        read_reply(wire)
        wire.sendall(b"EHLO bench.example\r\n")
        read_reply(wire)
        for _ in range(times):
            for line in (b"MAIL FROM:<sender@example.net>", b"RCPT TO:<%b>" % server.addresses[1].encode(), b"DATA"):
                wire.sendall(line + b"\r\n")
                read_reply(wire)
            wire.sendall(content)
            assert read_reply(wire).startswith(b"250 ")


# A large mailbox.


async def fill(server: Server, count: int) -> None:
    """`count` messages into the first account's INBOX, from this process: they share one blob."""
    config = load(Path(server.facts["config"]), [])
    content = message(0, 2_000)
    scanned = scan(content)
    async with open_database(config) as database:
        store = blob_store(config, database)
        blob = store.inline(content)
        local, domain = server.addresses[0].split("@")
        account = await database.read(accounts.find, local, domain)
        inbox = await database.read(mailboxes.find, account.id, INBOX)
        key = MailboxKey(account.id, inbox.id)
        new = NewMessage(key, MessageId(0), blob.id, scanned, b"", blob.size, now(), Flags(0))
        for start in range(0, count, PAGE):
            pages = [replace(new, message=MessageId(fresh())) for _ in range(min(PAGE, count - start))]
            await database.write(put, pages, blob if start == 0 else None)
        store.close()


def put(tx: Transaction, new: list[NewMessage], blob: PreparedBlob | None) -> None:
    if blob is not None:
        blobs.insert_many(tx, [blob])
    messages.put(tx, mailboxes.lock(tx, [new[0].mailbox]), new, now())


def select(bench: Bench) -> imaplib.IMAP4:
    client = bench.imap()
    answer, count = client.select()
    assert answer == "OK", count
    return client


def fetch(client: imaplib.IMAP4, items: str) -> None:
    answer, found = client.fetch("1:*", items)
    assert answer == "OK", found
    assert len(found) >= LARGE, len(found)


def store(client: imaplib.IMAP4, number: int) -> None:
    answer, _ = client.store("1:*", "+FLAGS" if number % 2 == 0 else "-FLAGS", "(\\Flagged)")
    assert answer == "OK"


def expunge(client: imaplib.IMAP4, number: int) -> None:
    client.store(f"1:{EXPUNGED}", "+FLAGS.SILENT", "(\\Deleted)")
    answer, gone = client.expunge()
    assert answer == "OK", number
    assert len(gone) == EXPUNGED, len(gone)


def pop3_login(bench: Bench) -> None:
    client = poplib.POP3_SSL("127.0.0.1", bench.server.ports["pop3s"], context=bench.server.tls())
    client.user(bench.server.addresses[0])
    client.pass_(bench.server.password)
    assert client.stat()[0] >= LARGE - 3 * EXPUNGED
    client.quit()


def run(bench: Bench) -> None:
    server = bench.server
    say(f"{'under':<44} {'seconds':>8} {'wall ms':>8} {'its cpu':>8} {'most cpu ms':>13} {'blocks':>7}")
    bench.measure("nothing", lambda _: time.sleep(1))
    for octets, times, text in ((4 << 10, 20, "4 KiB"), (1 << 20, 1, "1 MB")):
        bench.measure(f"50 connections, each {times} of {text}", partial(send_from_many, server, octets, times))
    one_round = replace(bench, rounds=1)
    one_round.measure("50 connections, each 1 of 20 MB", lambda _: send_from_many(server, 20 << 20, 1))
    asyncio.run(fill(server, LARGE))
    bench.measure("SELECT of 50,000", lambda _: select(bench).logout())
    client = select(bench)
    bench.measure("FETCH 1:* (FLAGS) of 50,000", lambda _: fetch(client, "(FLAGS)"))
    bench.measure(
        "FETCH 1:* (ENVELOPE BODYSTRUCTURE) of 50,000", lambda _: fetch(client, "(UID ENVELOPE BODYSTRUCTURE)")
    )
    bench.measure(
        "FETCH 1:* (header fields) of 50,000", lambda _: fetch(client, "(BODY.PEEK[HEADER.FIELDS (SUBJECT)])")
    )
    bench.measure("STORE 1:* of 50,000", lambda number: store(client, number))
    client.logout()
    bench.measure("POP3 login to 50,000", lambda _: pop3_login(bench))
    client = select(bench)
    bench.measure("EXPUNGE of 10,000", lambda number: expunge(client, number))
    with suppress(imaplib.IMAP4.error, OSError):
        client.logout()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--rounds", type=int, default=2, help="of each step; EXPUNGE has 10,000 of 50,000 left for each"
    )
    arguments = parser.parse_args()
    heading("benchmarks.loop_block")
    watched = {"MAILHOST_WATCH_LOOP": "1"}
    with scratch() as folder, serving(folder / "data", environment=watched) as server:
        run(Bench(server, arguments.rounds))


if __name__ == "__main__":
    main()
