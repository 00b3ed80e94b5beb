"""The server is killed while it relays, again and again: what it acknowledged arrives, and twice only what nobody could know of."""

import json
import random
import smtplib
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from email import message_from_bytes
from pathlib import Path
from typing import Any

import pytest

from tests.dns import Zone, dns_server
from tests.journeys.administrator import add, mailhost
from tests.journeys.crowd import SEED, WELCOMES
from tests.journeys.far_side import FATES, FarSide, address, as_submitted, fate_and_name, is_taken
from tests.journeys.load import KEEPER, Client, Scene, expect, fresh_size, message
from tests.journeys.readers import Person, by_imap
from tests.relay.hosts import certificates
from tests.service import END_SECONDS, Server, serving

pytestmark = pytest.mark.service

WRITER = Person(KEEPER, "writes-abroad")
DOMAINS = ("blue.test", "green.test")
ZONE = {f"{domain} MX": [f"10 mx.{domain}."] for domain in DOMAINS} | {
    f"mx.{domain} A": ["127.0.0.1"] for domain in DOMAINS
}
LONG = 8 * END_SECONDS
"""Seconds until the last of what waits has gone."""


class Submitter(Client):
    """Numbered messages to one to three recipients elsewhere."""

    def __init__(self, scene: Scene, name: str, seed: int) -> None:
        super().__init__(scene, name, seed)
        self.number = 0
        self.offered: dict[str, tuple[str, ...]] = {}
        """Of each message that was begun, its recipients."""
        self.accepted: set[str] = set()

    def session(self, server: Server) -> None:
        with submission(server) as client:
            while not self.scene.over.is_set():
                self._send(client)
                self.scene.did()

    def _send(self, client: smtplib.SMTP) -> None:
        self.number += 1
        name = f"{self.name}-{self.number}-{fresh_size(self.chance)}"
        wanted = self.chance.randrange(1, 4)
        recipients = {
            address(self.chance.choice(FATES), name, self.chance.choice(DOMAINS)): None for _ in range(wanted)
        }
        self.offered[name] = tuple(recipients)
        send(client, name, tuple(recipients))
        self.accepted.add(name)


@contextmanager
def submission(server: Server) -> Iterator[smtplib.SMTP]:
    context, port = server.tls(), server.ports["submissions"]
    with smtplib.SMTP_SSL("localhost", port, timeout=END_SECONDS, context=context) as client:
        client.login(WRITER.address, WRITER.password)
        yield client


def send(client: smtplib.SMTP, name: str, recipients: Sequence[str]) -> None:
    expect(client.mail(WRITER.address), 250)
    for each in recipients:
        expect(client.rcpt(each), 250)
    expect(client.data(message(name)), 250)


@contextmanager
def abroad(folder: Path) -> Iterator[tuple[FarSide, Zone, tuple[str, ...]]]:
    """The far side, its DNS, and the settings that lead there."""
    _, context = certificates(folder / "far", "mx.blue.test")
    far = FarSide(SEED, context)
    with far.serving(len(DOMAINS)) as ports, dns_server(ZONE) as (zone, dns):
        places = ", ".join(
            f'"mx.{domain}:25" = "127.0.0.1:{port}"' for domain, port in zip(DOMAINS, ports, strict=True)
        )
        settings = (
            "server.host=mx.red.test",
            f'dns.servers=["127.0.0.1:{dns}"]',
            "relay.enabled=true",
            "relay.allow_private_targets=true",
            f"relay.connect_map={{{places}}}",
            'relay.retry_after=["1s"]',
            "relay.most_notices=100000",
        )
        yield far, zone, settings


@contextmanager
def submitters(count: int, kind: str = "writer") -> Iterator[tuple[Scene, list[Submitter]]]:
    """At work until the block ends."""
    scene = Scene()
    writers = [Submitter(scene, f"{kind}{number}", SEED) for number in range(count)]
    for each in writers:
        each.start()
    try:
        yield scene, writers
    finally:
        scene.stop()
        for each in writers:
            each.join(2 * END_SECONDS)
    assert not [each.name for each in writers if each.is_alive()]
    scene.check()


@pytest.mark.filterwarnings("ignore::ResourceWarning")  # Python's clients leave a socket open when no greeting comes
@pytest.mark.parametrize("kills", [3, pytest.param(50, marks=pytest.mark.soak)])
def test_what_was_acknowledged_arrives_through_kills(tmp_path: Path, on_each: Sequence[str], kills: int) -> None:
    chance, data = random.Random(SEED + kills), tmp_path / "data"
    with abroad(tmp_path) as (far, _, settings):
        with submitters(3) as (scene, writers):
            for life in range(kills):
                with serving(data, *settings, *on_each) as server:
                    if life == 0:
                        add(server, WRITER)
                    scene.begin(server)
                    scene.wait_for(chance.randrange(20, 80))
                    time.sleep(chance.random() / 5)  # an acknowledgement is one moment; this may be any other
                    scene.about_to_end(server)
                    server.kill()
                    far.life = life + 1
        with serving(data, *settings, *on_each) as server:
            wait_until_empty(server)
            inbox = when_all_is_told(server)
            audit = json.loads(mailhost(server, "audit", "--json"))
    check_copies(far)
    notices = told_failed(inbox)
    check_ends(far, writers, notices)
    states = {"relayed": len(arrived(far)), "bounced": len(notices), "stored": WELCOMES + len(inbox)}
    assert (audit["findings"], audit["recipients"], audit["accepted"]) == ([], states, sum(states.values()))
    assert any(talk.life < kills and talk.copies for talk in far.conversations), "nothing was under way when it ended"


def wait_until_empty(server: Server) -> None:
    deadline = time.monotonic() + LONG
    while (said := mailhost(server, "queue", "list")) != "nothing waits\n":
        assert time.monotonic() < deadline, said + server.log()[-3000:]


def when_all_is_told(server: Server) -> list[bytes]:
    """The sender's INBOX: a notice may come a little later than the end of which it tells."""
    deadline = time.monotonic() + LONG
    bounced = json.loads(mailhost(server, "audit", "--json"))["recipients"]["bounced"]
    while len(told_failed(inbox := by_imap(server, WRITER))) < bounced:
        assert time.monotonic() < deadline, server.log()[-3000:]
    return inbox


def told_failed(mail: Sequence[bytes]) -> Counter[str]:
    """How often the sender heard of each recipient that failed."""
    found: Counter[str] = Counter()
    for each in mail:
        parsed = message_from_bytes(each)
        assert parsed.get_content_type() == "multipart/report"
        _, status, _ = _parts(parsed)
        for fields in _parts(status)[1:]:
            assert fields["Action"] == "failed"
            found[fields["Final-Recipient"].partition("; ")[2]] += 1
    return found


def _parts(parsed: Any) -> Any:
    return parsed.get_payload()


def arrived(far: FarSide) -> Counter[str]:
    return Counter(each for talk in far.conversations for recipients, _ in talk.copies for each in recipients)


def check_copies(far: FarSide) -> None:
    """Octet for octet. A second copy only where the first was the last thing that its connection had: after it came no answer
    that the sender could have written down, or the kill was quicker; and never two within one life."""
    last: dict[str, int] = {}
    for talk in sorted(far.conversations, key=lambda talk: talk.life):
        for number, (recipients, content) in enumerate(talk.copies):
            for each in recipients:
                assert as_submitted(content) == message(fate_and_name(each)[1])
                assert last.get(each) != talk.life, f"{each} came twice within one life"
                last[each] = talk.life
            if number < len(talk.copies) - 1:
                again = [each for each in recipients if _comes_after(far, each, talk.life)]
                assert not again, f"{again} came again, though the message after it had been begun"


def _comes_after(far: FarSide, recipient: str, life: int) -> bool:
    return any(
        recipient in recipients for talk in far.conversations if talk.life > life for recipients, _ in talk.copies
    )


def check_ends(far: FarSide, writers: Sequence[Submitter], notices: Counter[str]) -> None:
    """Each recipient of an acknowledged message has the end that the far side gave it; of the others each has that end or none."""
    came = arrived(far)
    offered = {each for writer in writers for recipients in writer.offered.values() for each in recipients}
    promised = {each for writer in writers for name in writer.accepted for each in writer.offered[name]}
    assert promised
    assert set(came) | set(notices) <= offered
    assert {each for each in promised if is_taken(each)} <= set(came)
    assert all(is_taken(each) for each in came)
    assert {each for each in promised if not is_taken(each)} <= set(notices)
    assert not any(is_taken(each) for each in notices)
    assert set(notices.values()) <= {1}


def until_held(far: FarSide, zone: Zone, where: str) -> None:
    """The relay stands at this point of its way, and does not get further."""
    if where != "DNS":
        assert far.reached.wait(END_SECONDS)
        return
    deadline = time.monotonic() + END_SECONDS
    while not any(each.startswith("blue.test ") for each in zone.asked):
        assert time.monotonic() < deadline
        time.sleep(0.01)


@pytest.mark.parametrize(("where", "copies"), [("dot", 2), ("DNS", 1), ("STARTTLS", 1)])
def test_killed_at_a_chosen_point_it_goes_on_at_the_next_start(
    tmp_path: Path, on_each: Sequence[str], where: str, copies: int
) -> None:
    """Its lease, of a quarter of an hour, is its own: it waits for none. Twice comes only what it could not know of."""
    data, name = tmp_path / "data", "writer-1-3000"
    recipient = address("ok", name, "blue.test")
    with abroad(tmp_path) as (far, zone, settings):
        far.hold = where
        zone.silent |= {"blue.test"} if where == "DNS" else set()
        with serving(data, *settings, *on_each) as server:
            add(server, WRITER)
            with submission(server) as client:
                send(client, name, [recipient])
            until_held(far, zone, where)
            server.kill()
        zone.silent.clear()
        far.hold, far.life = "", 1
        with serving(data, *settings, *on_each) as server:
            wait_until_empty(server)
            assert mailhost(server, "audit").startswith("no problem found\n")
    assert arrived(far) == {recipient: copies}
    assert sum(talk.said for talk in far.conversations) == 1
    check_copies(far)
