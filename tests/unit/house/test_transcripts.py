"""Every command and every extension has its transcript: a student finds it by its name."""

import re
from pathlib import Path

import pytest

from mailhost.imap.dialect import dialect as imap
from mailhost.imap.extensions import EXTENSIONS as IMAP_EXTENSIONS
from mailhost.pop3.dialect import dialect as pop3
from mailhost.pop3.extensions import EXTENSIONS as POP3_EXTENSIONS
from mailhost.smtp.dialect import dialect as smtp
from mailhost.smtp.extensions import EXTENSIONS as SMTP_EXTENSIONS

TRANSCRIPTS = Path(__file__).parents[2] / "transcripts"
COMMANDS = [
    (protocol, name)
    for protocol, spoken in (("smtp", smtp()), ("pop3", pop3()), ("imap", imap()))
    for name in sorted(spoken.commands)
]
EXTENSIONS = [
    *(("smtp", each.keyword) for each in SMTP_EXTENSIONS),
    *(("pop3", each.name) for each in POP3_EXTENSIONS),
    *(("imap", each.name) for each in IMAP_EXTENSIONS),
]


def sent(protocol: str) -> str:
    """All that clients say in the transcripts of a protocol."""
    return "\n".join(
        line.partition(": ")[2]
        for path in (TRANSCRIPTS / protocol).glob("*.txt")
        for line in path.read_text().splitlines()
        if re.match(r"C\d*: ", line)
    )


SENT = {protocol: sent(protocol) for protocol in ("smtp", "pop3", "imap")}


def stem(name: str) -> str:
    """As the extension's own file is called."""
    return re.sub(r"[^a-z0-9]+", "_", name.lower().replace("+", "_plus")).strip("_")


@pytest.mark.parametrize(("protocol", "name"), COMMANDS)
def test_each_command_is_sent_in_a_transcript(protocol: str, name: str) -> None:
    tag = r"\S+ " if protocol == "imap" else ""
    assert re.search(rf"(?mi)^{tag}{name}\b", SENT[protocol]), f"no transcript has {name}"


@pytest.mark.parametrize(("protocol", "name"), EXTENSIONS)
def test_each_extension_has_its_transcript_by_name(protocol: str, name: str) -> None:
    folder = TRANSCRIPTS / protocol
    found = [*folder.glob(f"{stem(name)}.txt"), *folder.glob(f"{stem(name)}_*.txt")]
    assert found, f"write {protocol}/{stem(name)}.txt"


@pytest.mark.parametrize(
    "path", sorted(TRANSCRIPTS.glob("*/*.txt")), ids=lambda path: f"{path.parent.name}/{path.stem}"
)
def test_a_client_s_transcript_says_whose_it_is_and_where_it_is_from(path: Path) -> None:
    head = path.read_text().splitlines()[:4]
    said = {line.partition(": ")[0]: line.partition(": ")[2] for line in head if re.match(r"(client|source): ", line)}
    assert not said or (said.get("client") and re.match(r"(capture|issue|spec)\b", said.get("source", "")))
