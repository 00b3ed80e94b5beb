"""`mailhost audit`, as an administrator and as a program see it."""

import json
import sqlite3
from contextlib import closing

import pytest

from tests.journeys.administrator import mailhost
from tests.service import Server

pytestmark = pytest.mark.service


def test_it_says_what_is_wrong_and_ends_with_1(server: Server) -> None:
    assert mailhost(server, "audit").startswith("no problem found\n")
    assert server.end() == 0
    with closing(sqlite3.connect(server.data / "mailhost.db")) as database, database:
        database.execute("UPDATE mailbox SET messages = 7 WHERE name = 'INBOX'")
    *lines, sums = mailhost(server, "audit", code=1).splitlines()
    assert sums == "accepted 2 = stored 2"
    assert len(lines) == len(server.addresses)
    assert all(
        line.startswith("counters: mailbox ") and line.endswith("(INBOX) says 7 messages, and has 1") for line in lines
    )
    told = json.loads(mailhost(server, "audit", "--json", code=1))
    assert told["recipients"] == {"stored": 2}
    findings = told["findings"]
    assert [f"{each['check']}: {each['text']}" for each in findings] == lines
