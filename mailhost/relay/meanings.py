"""What another host's answer means, in plain words of each language. `meanings.toml` is the table; this reads it."""

import enum
import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib import resources
from typing import Any

LONGEST_LOOKED_AT = 1_000
"""Characters of an answer: its meaning stands at its beginning."""
MOST_REMEMBERED = 500
"""Answers: to many recipients a host says the same."""
CHECKS = ("SPF", "DKIM", "DMARC")


class Language(enum.StrEnum):
    """What people read."""

    ENGLISH = "en"
    CHINESE = "zh"


OR: Mapping[Language, str] = {Language.ENGLISH: " or ", Language.CHINESE: "、"}

Texts = Mapping[Language, str]


@dataclass(frozen=True, slots=True)
class Sign:
    """By what an answer is known; all that is said must be there."""

    status: re.Pattern[str] | None
    words: re.Pattern[str] | None
    steps: frozenset[str]
    silent: bool

    def fits(self, status: str, reply: str, step: str | None) -> bool:
        return (
            (self.status is None or self.status.fullmatch(status) is not None)
            and (self.words is None or self.words.search(reply) is not None)
            and (not self.steps or step in self.steps)
            and not (self.silent and reply)
        )


@dataclass(frozen=True, slots=True)
class Row:
    """One row of the table."""

    name: str
    signs: tuple[Sign, ...]
    says: Texts
    sender: Texts
    administrator: Texts


@dataclass(frozen=True, slots=True)
class Meaning:
    """In one language."""

    name: str
    text: str
    for_sender: str
    """What the sender can do."""
    for_administrator: str


@lru_cache(MOST_REMEMBERED)
def meaning(status: str, reply: str | None, step: str | None = None, language: Language = Language.ENGLISH) -> Meaning:
    """The first row that fits; the last one fits everything. `reply` is as the ledger keeps it: `550 5.1.1 No such user`."""
    said = (reply or "")[:LONGEST_LOOKED_AT]
    row = next(row for row in TABLE if any(sign.fits(status, said, step) for sign in row.signs))
    which = OR[language].join([each for each in CHECKS if each in said.upper()] or CHECKS)
    return Meaning(row.name, row.says[language].format(which=which), row.sender[language], row.administrator[language])


def read_table(written: str) -> tuple[Row, ...]:
    """The rows of a table in TOML."""
    return tuple(map(_row, tomllib.loads(written)["row"]))


def _row(written: Mapping[str, Any]) -> Row:
    return Row(
        written["name"],
        tuple(map(_sign, written["signs"])),
        *(
            {language: written[column][language] for language in Language}
            for column in ("says", "sender", "administrator")
        ),
    )


def _sign(written: Mapping[str, Any]) -> Sign:
    status, words = written.get("status"), written.get("words")
    steps: Sequence[str] = written.get("steps", ())
    return Sign(
        re.compile(status) if status else None,
        re.compile(words, re.IGNORECASE) if words else None,
        frozenset(steps),
        written.get("silent", False),
    )


TABLE = read_table(resources.files(__package__).joinpath("meanings.toml").read_text(encoding="utf-8"))
