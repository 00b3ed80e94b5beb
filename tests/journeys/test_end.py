"""SIGTERM: conversations come to an end, every acknowledgement holds, the exit code is 0, and it does not take for ever."""

import signal
import time
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.journeys.administrator import add
from tests.journeys.crowd import KEEPERS, PEOPLE, check_after, crowd
from tests.journeys.readers import by_imap
from tests.service import END_SECONDS, Server, serving

pytestmark = pytest.mark.service


@pytest.mark.filterwarnings("ignore::ResourceWarning")  # Python's clients leave a socket open when no greeting comes
def test_an_end_under_load_keeps_every_promise(tmp_path: Path, on_each: Sequence[str]) -> None:
    data = tmp_path / "data"
    with crowd() as scene, serving(data, *on_each) as server:
        add(server, *PEOPLE)
        scene.begin(server)
        scene.wait_for(150)
        scene.about_to_end(server)
        assert server.end() == 0
    check_after(data, on_each, scene.promises)


def test_those_who_hang_are_waited_for_as_long_as_the_grace_and_no_longer(tmp_path: Path) -> None:
    """One is silent in the middle of a message, one in the middle of a command, one does not begin TLS."""
    with serving(tmp_path / "data", 'server.grace="1s"') as server:
        add(server, KEEPERS[0])
        hanging = [server.connect("smtp"), server.connect("imap"), server.connect("submissions")]
        hanging[0].sendall(mail_to(KEEPERS[0].address) + b"Subject: half\r\n\r\n" + b"x" * 100_000)
        wait_for_a_file(server)
        hanging[1].sendall(b"a LOGIN {5}\r\nal")
        assert server.end() == 0  # data_timeout is five minutes
        for each in hanging:
            each.close()
    with serving(tmp_path / "data") as server:
        assert by_imap(server, KEEPERS[0]) == []
        assert server.blobs() == []


def wait_for_a_file(server: Server) -> None:
    """Until the half message has one: then its conversation is in the middle of it."""
    until = time.monotonic() + END_SECONDS
    while not server.blobs():
        assert time.monotonic() < until
        time.sleep(0.01)


def test_a_second_signal_does_no_harm(tmp_path: Path) -> None:
    with serving(tmp_path / "data") as server:
        server.process.send_signal(signal.SIGTERM)
        server.process.send_signal(signal.SIGTERM)
        server.process.send_signal(signal.SIGINT)
        assert server.process.wait(END_SECONDS) == 0


def mail_to(address: str) -> bytes:
    return f"EHLO x\r\nMAIL FROM:<a@b.example>\r\nRCPT TO:<{address}>\r\nDATA\r\n".encode()
