"""docs/lab.md is true: every line that it has a student type is typed, and every line that it shows must come."""

import json
import re
import shlex
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from mailhost.cli.quickstart.settings import DEFAULT_BASE
from tests.lesson import Block, Names, blocks
from tests.service import END_SECONDS, TOP, free_base

pytestmark = pytest.mark.service
PAGE = TOP / "docs" / "lab.md"
SPOKEN = re.compile(r"([CS])(\d?):(?: (.*))?")
OPENED = re.compile(r"(\d?)\$ telnet localhost (\d+)")
PATIENCE = 10.0
"""Seconds until what the page says must be written down."""
MAILHOST = [sys.executable, "-m", "mailhost"]


class Window:
    """A student's telnet: it sends CRLF, and shows lines."""

    def __init__(self, port: int) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=END_SECONDS)
        self._file = self._socket.makefile("rb")

    def type(self, line: str) -> None:
        self._socket.sendall(line.encode() + b"\r\n")

    def read(self) -> str | None:
        """None where the server has closed."""
        line = self._file.readline()
        assert not line or line.endswith(b"\r\n"), line
        return line.decode().removesuffix("\r\n") if line else None

    def close(self) -> None:
        self._file.close()
        self._socket.close()


class Student:
    """Does what the page says, in a folder of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.names = Names()
        self.base = free_base()
        self.windows: dict[str, Window] = {}
        self.server: subprocess.Popen[str] | None = None
        self.terminal = folder / "terminal"
        """What the first terminal has shown since the server was started."""

    def work_through(self, block: Block) -> None:
        {"console": self.run, "dialogue": self.talk, "wire": self.watch}[block.kind](block)

    # console

    def run(self, block: Block) -> None:
        lines = [(number, line) for number, line in enumerate(block.lines, block.at)]
        starts = [place for place, (_, line) in enumerate(lines) if line.startswith("$ ")]
        assert starts[:1] == [0], block
        for start, end in zip(starts, [*starts[1:], len(lines)], strict=True):
            command = shlex.split(self.names.filled(lines[start][1].removeprefix("$ ")))
            if command[0] == "scripts/run":
                assert end == start + 1, "the greeting is not on the page"
                self.start(command[1:])
            else:
                assert command[0] == ".venv/bin/mailhost"
                self.compare(command[1:], lines[start + 1 : end])

    def start(self, arguments: list[str]) -> None:
        """The second time Ctrl+C has ended the first one."""
        self.stop()
        ports = ["--ports", str(self.base)]
        with self.terminal.open("w") as shown:
            self.server = subprocess.Popen(
                [*MAILHOST, "quickstart", *arguments, *ports, "--json"],
                cwd=self.folder,
                stdout=subprocess.PIPE,
                stderr=shown,
                text=True,
            )
        assert self.server.stdout is not None
        line = self.server.stdout.readline()
        assert line, self.terminal.read_text()
        self.names.known["password"] = json.loads(line)["accounts"][0]["password"]

    def compare(self, arguments: list[str], wanted: list[tuple[int, str]]) -> None:
        """What the server writes down a moment later is waited for."""
        deadline = time.monotonic() + PATIENCE
        while True:
            ended = subprocess.run(
                [*MAILHOST, *arguments], cwd=self.folder, capture_output=True, text=True, timeout=60, check=False
            )
            said = self.as_on_the_page(ended.stdout).splitlines()
            wrong = self.first_wrong(wanted, said)
            if wrong is None:
                return
            assert arguments[0] == "trace", wrong + ended.stderr
            assert time.monotonic() < deadline, wrong

    def first_wrong(self, wanted: list[tuple[int, str]], said: list[str]) -> str | None:
        known = dict(self.names.known)
        for number, line in wanted:
            real = said.pop(0) if said else "nothing more"
            if not self.names.fits(line, real):
                self.names.known = known
                return f"docs/lab.md:{number}: {line!r} is said, and it was {real!r}"
        return f"docs/lab.md:{wanted[-1][0]}: there was more: {said}" if said else None

    def as_on_the_page(self, text: str) -> str:
        """Ports begin elsewhere in a test."""
        return re.sub(r"(?<=port )\d+", lambda found: str(int(found[0]) - self.base + DEFAULT_BASE), text)

    # dialogue

    def talk(self, block: Block) -> None:
        for number, line in enumerate(block.lines, block.at):
            where = f"docs/lab.md:{number}"
            if opened := OPENED.fullmatch(line):
                self.open(opened[1] or "1", int(opened[2]) - DEFAULT_BASE + self.base, where)
                continue
            spoken = SPOKEN.fullmatch(line)
            assert spoken is not None, f"{where}: neither typed nor read: {line!r}"
            window, text = self.windows[spoken[2] or "1"], spoken[3] or ""
            if spoken[1] == "C":
                window.type(self.names.filled(text))
            else:
                real = window.read()
                assert real is not None, f"{where}: {text!r} is said, and the server has closed"
                assert self.names.fits(text, real), f"{where}: {text!r} is said, and it was {real!r}"

    def open(self, name: str, port: int, where: str) -> None:
        self.close(name, where)
        self.windows[name] = Window(port)

    def close(self, name: str, where: str) -> None:
        """The server has said all that the page says, and has closed."""
        if name in self.windows:
            window = self.windows.pop(name)
            rest = window.read()
            window.close()
            assert rest is None, f"{where}: the dialogue before has one line more: {rest!r}"

    # wire

    def watch(self, block: Block) -> None:
        """The last line may come a moment after the client has gone."""
        wanted = list(enumerate(block.lines, block.at))
        deadline = time.monotonic() + PATIENCE
        while True:
            shown = re.findall(r"^[0-9:.]{12} ((?:smtp|pop3|imap) .*)\n", self.terminal.read_text(), re.MULTILINE)
            if any(self.first_wrong(wanted, shown[at : at + len(wanted)]) is None for at in range(len(shown))):
                return
            assert time.monotonic() < deadline, f"docs/lab.md:{block.at}: not shown so: {shown}"
            time.sleep(0.05)

    def stop(self) -> None:
        for name in list(self.windows):
            self.close(name, "docs/lab.md")
        if self.server is not None:
            server, self.server = self.server, None
            with server:
                server.send_signal(signal.SIGINT)
                assert server.wait(END_SECONDS) == 0

    def give_up(self) -> None:
        for window in self.windows.values():
            window.close()
        if self.server is not None:
            with self.server as server:
                server.kill()


def test_the_lesson_is_true_from_its_first_line_to_its_last(tmp_path: Path) -> None:
    student = Student(tmp_path)
    try:
        for block in blocks(PAGE):
            student.work_through(block)
        student.stop()
    finally:
        student.give_up()
    assert {"journey", "second_journey", "third_journey", "welcome_id", "letter_id"} <= student.names.known.keys()
