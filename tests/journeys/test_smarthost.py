"""An office behind a provider: all its mail goes out through a smarthost, over TLS that proves itself, with a login."""

import json
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from tests.dns import dns_server
from tests.journeys.administrator import add, mailhost
from tests.journeys.readers import Person, by_imap
from tests.journeys.test_relay import ALICE, BOB, submit, until
from tests.service import END_SECONDS, Server, free_base, serving

pytestmark = pytest.mark.service

CUSTOMER = Person(ALICE.address, "pencil-at-the-provider")
"""As the provider knows her."""


@contextmanager
def office_and_provider(folder: Path, listener: str, password: str) -> Iterator[tuple[Server, Server]]:
    with dns_server({"mx.blue.test A": ["127.0.0.1"]}) as (_, port), ExitStack() as stack:
        provider = stack.enter_context(serving(folder / "blue", "server.host=mx.blue.test", base=free_base()))
        add(provider, BOB, CUSTOMER)
        scheme = "smtps" if listener == "submissions" else "smtp"
        (folder / "red").mkdir()
        secret = folder / "password"
        secret.touch(0o600)
        secret.write_text(f"{password}\n")
        office = stack.enter_context(
            serving(
                folder / "red",
                "server.host=mx.red.test",
                f'dns.servers=["127.0.0.1:{port}"]',
                "relay.enabled=true",
                f'relay.routes={{"*" = "{scheme}:mx.blue.test:{provider.ports[listener]}"}}',
                f"relay.user={CUSTOMER.address}",
                f"relay.password_file={secret}",
                f"relay.ca={provider.ca}",
                base=free_base(),
            )
        )
        add(office, ALICE)
        yield office, provider


@pytest.mark.parametrize("listener", ["submissions", "submission"])
def test_all_mail_goes_through_the_smarthost(listener: str, tmp_path: Path) -> None:
    """Its address is private, and no secret of its own: what the administrator names is trusted as far as TLS proves it."""
    with office_and_provider(tmp_path, listener, CUSTOMER.password) as (office, provider):
        journey = submit(office, ALICE, BOB.address, "by the provider")
        until(office, journey, "delivered to mx.blue.test")
        (message,) = by_imap(provider, BOB)
        assert b"Subject: by the provider" in message
        assert b"with ESMTPSA" in message
        assert CUSTOMER.password not in office.log() + mailhost(office, "trace", journey, "--json")


def test_a_wrong_password_keeps_all_mail_waiting_and_says_the_cure(tmp_path: Path) -> None:
    with office_and_provider(tmp_path, "submissions", "wrong-pencil") as (office, _):
        journey = submit(office, ALICE, BOB.address, "later")
        deadline = time.monotonic() + END_SECONDS
        while not (told := json.loads(mailhost(office, "trace", journey, "--json"))["recipients"][0])["reply"]:
            assert time.monotonic() < deadline, told
        assert told["state"] == "waiting"
        assert told["reply"].startswith("535 5.7.8 ")
        assert "relay.password_file" in told["reason"]
        assert "wrong-pencil" not in office.log() + json.dumps(told)
