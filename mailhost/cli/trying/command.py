"""Send a message by submission, fetch it by POP3 and IMAP, compare, take it away, and tell its journey."""

import asyncio
import json
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import click

from mailhost.cli import office
from mailhost.cli.asking import ask_password, read_password, shown
from mailhost.cli.exits import EX_CONFIG, EX_SOFTWARE, EX_USAGE, Failure
from mailhost.cli.options import CONFIG, SET
from mailhost.cli.quickstart import sample
from mailhost.cli.trying import clients
from mailhost.cli.trying.message import Trial, is_intact, trial
from mailhost.cli.trying.problems import Place, told
from mailhost.config.load import load
from mailhost.config.settings import Config

ANSWER_SECONDS = 20.0
"""How long one answer of the server may take. The longest wait that it makes itself is for a lock and a commit, 5 seconds each."""
LOOPBACK = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - where a server on every address is reached
SENDING, POP3, IMAP = ("submissions", "submission", "smtp"), ("pop3s", "pop3"), ("imaps", "imap")
"""Where each protocol is tried: at the first of its listeners that is enabled."""


@click.command
@click.argument("address", required=False)
@CONFIG
@SET
@click.option("--password-stdin", is_flag=True, help="Read the password from standard input: its first line.")
@click.option("--json", "as_json", is_flag=True, help="One line of JSON for each step.")
def command(
    config_path: Path, overrides: tuple[str, ...], address: str | None, password_stdin: bool, as_json: bool
) -> int:
    """Try the running server: send a message from ADDRESS to itself, fetch it by POP3 and by IMAP, and tell its journey.

    Without ADDRESS it goes from one sample account of scripts/run to the other. The message is deleted at the end.
    """
    config = load(config_path, overrides)
    sender, recipient = (address, address) if address else sample.ADDRESSES
    password = _password(config, sender, password_stdin=password_stdin)
    report = Report(as_json=as_json)
    try:
        Attempt(config, str(config_path), report, trial(sender, recipient, config.server.host)).run(password)
    except Failure as failure:
        report.failed(failure.message)
        raise
    return 0


def _password(config: Config, sender: str, *, password_stdin: bool) -> str:
    """The sample accounts' is in the folder; another is asked for. Raises `Failure`."""
    source, question = sys.stdin.buffer, f"Password for {shown(sender)}"
    if password_stdin:
        return ask_password(question) if source.isatty() else read_password(source)
    if sender in sample.ADDRESSES and (config.server.data / sample.FILE).exists():
        return sample.password(config.server.data)
    if source.isatty():
        return ask_password(question)
    raise Failure(f"give the password of {shown(sender)} on standard input, with --password-stdin", EX_USAGE)


class Report:
    """Each step in a sentence with its time, as it goes."""

    def __init__(self, *, as_json: bool) -> None:
        self._as_json = as_json

    @contextmanager
    def step(self, name: str, *words: str) -> Iterator[list[str]]:
        """The words, and what is put behind them, are said if the step goes well."""
        begun, said = time.perf_counter(), list(words)
        yield said
        self.say(name, " ".join(said), time.perf_counter() - begun)

    def say(self, name: str, sentence: str, seconds: float | None = None) -> None:
        if self._as_json:
            self._print({"step": name, "said": sentence} | ({} if seconds is None else {"seconds": round(seconds, 4)}))
        else:
            click.echo(f"{name:8} {sentence}" + ("" if seconds is None else f" ({seconds * 1000:.0f} ms)"))

    def journey(self, sentences: Sequence[str], values: dict[str, Any]) -> None:
        if self._as_json:
            self._print({"step": "journey", "journey": values})
        else:
            click.echo("Its journey, as mailhost trace tells it:\n" + "\n".join(sentences))

    def failed(self, reason: str) -> None:
        """A person reads it on standard error."""
        if self._as_json:
            self._print({"step": "failed", "said": reason})

    @staticmethod
    def _print(value: dict[str, Any]) -> None:
        click.echo(json.dumps(value))


class Attempt:
    """One message on its way through all three protocols."""

    def __init__(self, config: Config, source: str, report: Report, sent: Trial) -> None:
        self._config, self._source, self._report, self._sent = config, source, report, sent
        self._tls = clients.trusting(config.server.host, config.tls.certificate.with_name("ca.crt"))

    def run(self, password: str) -> None:
        """Raises `Failure` at the first step that fails; what became of the message by then is told in any case."""
        journey = self._send(password)
        try:
            is_there = self._fetch_by_pop3(password)
            is_deleted = self._fetch_by_imap(password) or (is_there and self._delete_by_pop3(password))
            if not is_deleted:
                self._report.say(
                    "left", f"the message stays with {self._sent.recipient}: nothing is on that deletes it"
                )
        finally:
            self._trace(journey)

    def _send(self, password: str) -> str:
        place = self._place("SMTP", SENDING)
        if place is None:
            raise Failure("no listener takes mail; set submissions.enabled=true", EX_CONFIG)
        with told(place, self._source), ExitStack() as stack:
            with self._report.step("SMTP", f"{place}: TLS with a certificate that is trusted for {place.name}"):
                client = stack.enter_context(clients.smtp(place, self._tls))
            if place.listener == "smtp":
                self._report.say("SMTP", "without a login, as another host would: no submission listener is on")
            else:
                with self._report.step("SMTP", f"logged in as {self._sent.sender}"):
                    clients.log_in(client, place, self._sent.sender, password)
            with self._report.step("SMTP", f"sent {len(self._sent.content)} octets to {self._sent.recipient}:") as said:
                said.append(answer := clients.send(client, self._sent))
        found = clients.JOURNEY.search(answer)
        if found is None:
            raise Failure(f"{place}: this is no mailhost, it names no journey: {answer}", EX_SOFTWARE)
        return found[1]

    def _fetch_by_pop3(self, password: str) -> bool:
        """Answers whether POP3 is on."""
        place = self._place("POP3", POP3)
        if place is None:
            return False
        with told(place, self._source), ExitStack() as stack:
            with self._report.step("POP3", self._logged_in(place)):
                client = stack.enter_context(clients.pop3(place, self._tls, self._sent.recipient, password))
            with self._report.step("POP3") as said:
                number, octets = clients.find_by_pop3(client, self._sent)
                said.append(self._fetched(place, f"number {number}", octets))
        return True

    def _fetch_by_imap(self, password: str) -> bool:
        """Answers whether the message is deleted."""
        place = self._place("IMAP", IMAP)
        if place is None:
            return False
        with told(place, self._source), ExitStack() as stack:
            with self._report.step("IMAP", self._logged_in(place)):
                client = stack.enter_context(clients.imap(place, self._tls, self._sent.recipient, password))
            with self._report.step("IMAP") as said:
                uid, octets = clients.find_by_imap(client, self._sent)
                said.append(self._fetched(place, f"UID {uid} of INBOX", octets))
            with self._report.step("IMAP") as said:
                is_deleted = clients.delete_by_imap(client, uid)
                said.append(
                    "deleted it, by its UID" if is_deleted else "UIDPLUS is switched off: it is not deleted here"
                )
        return is_deleted

    def _delete_by_pop3(self, password: str) -> bool:
        place = self._place("POP3", POP3)
        if place is None:
            return False
        with (
            self._report.step("POP3", "deleted it"),
            told(place, self._source),
            clients.pop3(place, self._tls, self._sent.recipient, password) as client,
        ):
            client.dele(clients.find_by_pop3(client, self._sent)[0])
        return True

    def _logged_in(self, place: Place) -> str:
        return f"{place}: TLS, and logged in as {self._sent.recipient}"

    def _fetched(self, place: Place, where: str, octets: bytes) -> str:
        if not is_intact(octets, self._sent):
            raise Failure(f"{place}: the message came back with other octets than it was sent with", EX_SOFTWARE)
        return f"fetched it as {where}: its octets are as they were sent"

    def _place(self, protocol: str, names: Sequence[str]) -> Place | None:
        """The first of the listeners that is enabled; where none is, that is said."""
        server, listeners = self._config.server, self._config.listeners
        for name in names:
            if name in listeners:
                address = LOOPBACK.get(server.bind, server.bind)
                return Place(name, address, listeners[name].port, server.host, ANSWER_SECONDS)
        self._report.say(protocol, f"left out: {' and '.join(names)} are switched off")
        return None

    def _trace(self, journey: str) -> None:
        time.sleep(self._config.trace.delay.total_seconds())  # for so long the server gathers what it writes down
        for sentences, values in asyncio.run(office.trace(self._config, [journey])):
            self._report.journey(sentences, values)
