"""`mailhost try`: one message through all three protocols of a running server; and each step that fails is told with its cure."""

import json
import poplib
import re
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from tests.journeys.readers import Person, by_imap, by_uid, imap
from tests.service import END_SECONDS, TOP, Server, serving

pytestmark = pytest.mark.service
QUICK = "login.failure_delay=0s"


def attempt(config: Path | str, *arguments: str, given: str = "", code: int = 0) -> tuple[str, str]:
    """What it says on standard output and on standard error."""
    command = [sys.executable, "-m", "mailhost", "try", *arguments, "--config", str(config)]
    ended = subprocess.run(
        command, input=given, capture_output=True, text=True, cwd=TOP, timeout=4 * END_SECONDS, check=False
    )
    assert ended.returncode == code, ended.stdout + ended.stderr
    assert "Traceback" not in ended.stderr
    return ended.stdout, ended.stderr


def steps(said: str) -> list[str]:
    """The lines without times, numbers and identifiers."""
    lines = said.splitlines()
    assert all(
        re.search(r" \(\d+ ms\)$", line)
        for line in lines
        if re.match(r"(SMTP|POP3|IMAP) .*(logged|sent|fetched|deleted)", line)
    )
    return [re.sub(r" \(\d+ ms\)$", "", line) for line in lines]


@pytest.fixture(scope="module")
def tried(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with serving(tmp_path_factory.mktemp("try") / "data", QUICK) as one:
        yield one


def test_a_message_goes_from_one_sample_account_to_the_other_and_leaves_nothing(tried: Server) -> None:
    bob = Person(tried.addresses[1], tried.password)
    before = by_imap(tried, bob)
    said, problem = attempt(tried.facts["config"])
    assert problem == ""
    patterns = [
        rf"SMTP +127.0.0.1 port {tried.ports['submissions']} \(submissions\): TLS with a certificate that is trusted for mail.example.org",
        r"SMTP +logged in as alice@example.org",
        r"SMTP +sent \d+ octets to bob@example.org: 250 2.0.0 Accepted as (?P<journey>[0-9a-f]{16})",
        rf"POP3 +127.0.0.1 port {tried.ports['pop3s']} \(pop3s\): TLS, and logged in as bob@example.org",
        r"POP3 +fetched it as number \d+: its octets are as they were sent",
        rf"IMAP +127.0.0.1 port {tried.ports['imaps']} \(imaps\): TLS, and logged in as bob@example.org",
        r"IMAP +fetched it as UID \d+ of INBOX: its octets are as they were sent",
        r"IMAP +deleted it, by its UID",
        r"Its journey, as mailhost trace tells it:",
    ]
    lines = steps(said)
    found = [re.fullmatch(pattern, line) for pattern, line in zip(patterns, lines, strict=False)]
    assert all(found), said
    assert found[2] is not None
    assert lines[len(patterns)].startswith(f"{found[2]['journey']}: accepted ")
    journey = "\n".join(lines[len(patterns) :])
    for words in ("bob@example.org: stored in INBOX as UID", "fetched by POP3", "fetched by IMAP", "deleted by IMAP"):
        assert words in journey
    assert by_imap(tried, bob) == before


def test_other_messages_keep_their_numbers_and_stay_unseen(tried: Server) -> None:
    alice = Person(tried.addresses[0], tried.password)
    before = by_uid(tried, alice)
    attempt(tried.facts["config"], alice.address)
    assert by_uid(tried, alice) == before
    with imap(tried, alice) as client:
        client.select(readonly=True)
        assert client.search(None, "UNSEEN")[1] == [b"1"]


def test_for_programs_each_step_is_a_line_of_json(tried: Server) -> None:
    said, _ = attempt(tried.facts["config"], "--json")
    values = [json.loads(line) for line in said.splitlines()]
    assert [value["step"] for value in values] == ["SMTP"] * 3 + ["POP3"] * 2 + ["IMAP"] * 3 + ["journey"]
    assert all(0 < value["seconds"] < 60 for value in values[:-1])
    assert values[-1]["journey"]["recipients"][0]["recipient"] == "bob@example.org"


def test_a_wrong_password_is_77_and_its_cure_is_told(tried: Server) -> None:
    said, problem = attempt(tried.facts["config"], "bob@example.org", "--password-stdin", given="wrong\n", code=77)
    assert len(said.splitlines()) == 1
    assert "(submissions): the login of bob@example.org was refused: 535 5.7.8 " in problem
    assert problem.endswith("mailhost user passwd bob@example.org sets a new password\n")
    said, _ = attempt(tried.facts["config"], "bob@example.org", "--password-stdin", "--json", given="wrong\n", code=77)
    assert json.loads(said.splitlines()[-1])["step"] == "failed"


def test_an_account_of_ones_own_is_tried_by_its_password(tried: Server) -> None:
    said, _ = attempt(tried.facts["config"], "alice@example.org", "--password-stdin", given=f"{tried.password}\n")
    assert "octets to alice@example.org: 250" in said
    _, problem = attempt(tried.facts["config"], "carol@example.org", code=64)
    assert "give the password of carol@example.org on standard input, with --password-stdin" in problem


def test_a_name_that_the_certificate_lacks_is_78(tried: Server) -> None:
    _, problem = attempt(tried.facts["config"], "--set", "server.host=other.example", code=78)
    assert "the certificate is not trusted for other.example: " in problem
    assert "set server.host to a name in it" in problem


def test_a_certificate_of_nobody_s_is_78(tried: Server, tmp_path: Path) -> None:
    alone = tmp_path / "server.crt"
    alone.write_bytes((tried.data / "tls" / "server.crt").read_bytes())
    _, problem = attempt(tried.facts["config"], "--set", f'tls.certificate="{alone}"', code=78)
    assert "put its certificate ca.crt beside the server's own (tls.certificate)" in problem


@pytest.mark.parametrize(
    ("settings", "said", "missing"),
    [
        (
            ["imap.enabled=false", "imaps.enabled=false"],
            ["IMAP     left out: imaps and imap are switched off", "POP3     deleted it"],
            "of INBOX:",
        ),
        (
            ["pop3.enabled=false", "pop3s.enabled=false"],
            ["POP3     left out: pop3s and pop3 are switched off"],
            "as number",
        ),
        (
            [
                "submissions.enabled=false",
                "pop3s.enabled=false",
                "imaps.enabled=false",
                'imap.without=["UIDPLUS"]',
                'pop3.without=["TOP"]',
            ],
            ["IMAP     UIDPLUS is switched off: it is not deleted here", "POP3     deleted it"],
            "(submissions)",
        ),
        (
            ["submissions.enabled=false", "submission.enabled=false"],
            ["SMTP     without a login, as another host would: no submission listener is on"],
            "logged in as alice",
        ),
    ],
    ids=["no IMAP", "no POP3", "STARTTLS", "no submission"],
)
def test_what_is_switched_off_is_left_out_and_said(
    tmp_path: Path, settings: list[str], said: list[str], missing: str
) -> None:
    with serving(tmp_path / "data", QUICK, *settings) as server:
        lines, problem = attempt(server.facts["config"])
        assert problem == ""
        assert set(said) <= set(steps(lines)), lines
        assert missing not in lines
        if "pop3.enabled=false" not in settings:
            assert messages_left(server) == 1  # the welcome


def messages_left(server: Server) -> int:
    client = poplib.POP3("localhost", server.ports["pop3"], timeout=END_SECONDS)
    client.stls(server.tls())
    client.user(server.addresses[1])
    client.pass_(server.password)
    count = client.stat()[0]
    client.quit()
    return count


def test_a_server_that_does_not_run_is_69_and_how_to_start_it_is_told(tmp_path: Path) -> None:
    with serving(tmp_path / "data") as server:
        assert server.end() == 0
    _, problem = attempt(server.facts["config"], code=69)
    assert problem == (
        f"mailhost: nothing listens on 127.0.0.1 port {server.ports['submissions']} (submissions); "
        f"start it with mailhost run --config {server.facts['config']}\n"
    )
    _, problem = attempt(server.facts["config"], *off("submissions"), *off("submission"), *off("smtp"), code=78)
    assert "no listener takes mail; set submissions.enabled=true" in problem


def off(listener: str) -> list[str]:
    return ["--set", f"{listener}.enabled=false"]


@pytest.mark.parametrize(
    ("arguments", "said", "code", "words"),
    [
        ((), b"HTTP/1.1 400 Bad Request\r\n", 76, "(submissions): TLS does not begin"),
        (("--set", "submissions.enabled=false"), b"220 wait\r\n", 69, "(submission): the server hung up"),
        (("--set", "submissions.enabled=false"), b"554 no\r\n", 69, "(submission): the server refused: 554 no"),
    ],
)
def test_what_is_no_mail_server_is_told_as_that(
    tmp_path: Path, arguments: tuple[str, ...], said: bytes, code: int, words: str
) -> None:
    with serving(tmp_path / "data") as server:
        assert server.end() == 0
    listener = "submission" if arguments else "submissions"
    with socket.create_server(("127.0.0.1", server.ports[listener])) as other:

        def answer() -> None:
            client, _ = other.accept()
            with client, suppress(ConnectionError):
                client.sendall(said)
                client.shutdown(socket.SHUT_WR)
                while client.recv(65_536):
                    pass

        thread = threading.Thread(target=answer)
        thread.start()
        _, problem = attempt(server.facts["config"], *arguments, code=code)
        thread.join()
    assert words in problem
