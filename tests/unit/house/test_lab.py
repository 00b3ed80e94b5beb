"""docs/lab.md explains each command that it has a student type, with the section where to read more."""

import re
from pathlib import Path

import pytest

from mailhost.cli.quickstart.settings import DEFAULT_BASE
from mailhost.config.settings import LISTENERS
from tests.lesson import Names, blocks

PAGE = Path(__file__).parents[3] / "docs" / "lab.md"
BLOCKS = list(blocks(PAGE))
DIALOGUES = [block for block in BLOCKS if block.kind == "dialogue"]


def commands(lines: list[str]) -> list[str]:
    """The verbs that are typed, without tags, and without the lines of a message."""
    verbs, in_message = [], False
    for line in lines:
        if typed := re.fullmatch(r"C\d?:(?: (.*))?", line):
            words = (typed[1] or "").split()
            if in_message:
                in_message = words != ["."]
            else:
                verbs.append(words[1] if re.fullmatch(r"a\d+", words[0]) else words[0])
        in_message = in_message or bool(re.fullmatch(r"S\d?: 354 .*", line))
    return verbs


def items(text: str) -> list[str]:
    return [" ".join(item.split()) for item in re.findall(r"^- (.*?)(?=^- |^$|\Z)", text, re.MULTILINE | re.DOTALL)]


@pytest.mark.parametrize("block", DIALOGUES, ids=lambda block: f"line {block.at}")
def test_each_command_is_explained_below_with_its_section(block: object) -> None:
    explained = " ".join(items(block.below))  # type: ignore[attr-defined]  # of its own test module
    verbs = commands(block.lines)  # type: ignore[attr-defined]
    assert verbs
    for verb in verbs:
        assert re.search(rf"`{re.escape(verb)}\b", explained), verb


@pytest.mark.parametrize("block", DIALOGUES, ids=lambda block: f"line {block.at}")
def test_each_explanation_names_a_section(block: object) -> None:
    explained = items(block.below)  # type: ignore[attr-defined]
    assert explained
    for item in explained:
        assert re.search(r"RFC \d{4} section \d", item), item


def test_there_are_all_three_protocols_and_their_ports() -> None:
    opened = {line.split()[-1] for block in DIALOGUES for line in block.lines if "$ telnet" in line}
    assert opened == {str(DEFAULT_BASE + LISTENERS.index(name)) for name in ("smtp", "pop3", "imap")}


def test_every_file_that_is_linked_is_there() -> None:
    for link in re.findall(r"\]\((?!https?:)([^)#]+)\)", PAGE.read_text(encoding="utf-8")):
        assert (PAGE.parent / link).exists(), link


@pytest.mark.parametrize(
    ("wanted", "line", "fits"),
    [
        ("250 OK", "250 OK", True),
        ("250 OK", "250 OK.", False),
        ("id <new>", "id 17", True),
        ("id <known>", "id 17", False),
        ("id <known>", "id 4", True),
        ("<new> <new>", "a b", False),
        ("<new> <new>", "a a", True),
        ("<time> <time>", "a b", True),
        ("RCPT <a@b.c>", "RCPT <a@b.c>", True),
    ],
)
def test_a_name_means_the_same_thing_again(wanted: str, line: str, fits: bool) -> None:
    names = Names()
    names.known["known"] = "4"
    assert names.fits(wanted, line) is fits
