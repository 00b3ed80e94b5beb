"""With --wire an administrator reads both halves of a journey: what the client told us, and what we told the next host."""

import re
from pathlib import Path

import pytest

from tests.journeys.test_relay import ALICE, BOB, submit, two_offices, until

pytestmark = pytest.mark.service


def test_both_halves_are_shown(tmp_path: Path) -> None:
    with two_offices(tmp_path, wire=True) as (red, blue):
        journey = submit(red, ALICE, BOB.address, "there")
        until(red, journey, "delivered to mx.blue.test")
        lines = [re.sub(r"^\S+ smtp +(\d+) ", r"\1 ", line) for line in red.log().splitlines()]
    named = next(line for line in lines if line.endswith(f" -- journey {journey}"))
    connection = named.split()[0]
    mine = [line.removeprefix(f"{connection} ") for line in lines if line.startswith(f"{connection} ")]
    assert mine[0].startswith("-- we connect to mx.blue.test: 127.0.0.1 port ")
    assert any(line.startswith("-- TLS begins: TLSv1") for line in mine)
    (asked,) = [number for number, line in enumerate(mine) if line.startswith("us: MAIL FROM:")]
    assert f"<{ALICE.address}>" in mine[asked]
    assert f"us: RCPT TO:<{BOB.address}>" in mine[asked + 1]
    assert any(line.startswith("us: Subject: there") for line in mine)
    assert "us: Hello" not in mine
    assert any(re.fullmatch(r"us: \[\d+ octets of a message\]", line) for line in mine)
    assert any(line.startswith("them: 250 2.0.0 Accepted as ") for line in mine)
    assert ALICE.password not in red.log()
    assert blue.log().count(" C: MAIL FROM:") == 1
