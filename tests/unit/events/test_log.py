"""The log's lines are plain words for people and plain JSON for programs, each at its level."""

import enum
import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
import structlog

from mailhost.events.event import AUTH_OK, CONNECTION_OPEN, FAULT, NEEDS_RESTART, STORE_FLAG, Event
from mailhost.events.sinks import configure_log, log
from mailhost.ids import ConnectionId, Millis


class Colour(enum.Enum):
    RED = 1


@dataclass(frozen=True)
class Key:
    account: int
    id: int


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    yield
    structlog.reset_defaults()


def said(capsys: pytest.CaptureFixture[str], kind: str, form: str = "text", level: str = "debug", **fields: Any) -> str:
    configure_log(level, form)
    log(Event(Millis(0), kind, **fields))
    return capsys.readouterr().err.rstrip("\n")


VALUES = [
    (None, ""),
    ("", ""),
    (0, "v=0"),
    (False, "v=False"),
    ("INBOX", "v=INBOX"),
    ("a\x1b[31m\nb", r"v=a\x1b[31m\x0ab"),
    (b"caf\xc3\xa9", "v=café"),
    (Colour.RED, "v=red"),
    (Key(1, 2), "v='account 1, id 2'"),
    ({"name": "Foxmail"}, "v='name Foxmail'"),
    ((1, 2), "v=1,2"),
    (["a", Key(1, 2)], "v='a,account 1, id 2'"),
]


@pytest.mark.parametrize(("value", "shown"), VALUES, ids=[repr(value) for value, _ in VALUES])
def test_a_value_is_said_in_plain_words(value: object, shown: str, capsys: pytest.CaptureFixture[str]) -> None:
    line = said(capsys, AUTH_OK, data={"v": value}, connection=ConnectionId(7))
    assert " ".join(line.partition(AUTH_OK)[2].split()) == f"connection=7 {shown}".rstrip()
    assert "\x1b" not in line  # no terminal, no colours


def test_programs_get_json(capsys: pytest.CaptureFixture[str]) -> None:
    told = json.loads(said(capsys, CONNECTION_OPEN, "json", data={"k": Key(1, 2), "n": 3, "tls": "", "c": Colour.RED}))
    assert told.pop("timestamp")
    assert told == {"event": "conn.open", "level": "info", "k": {"account": 1, "id": 2}, "n": 3, "c": "red"}


@pytest.mark.parametrize(
    ("kind", "level"), [(FAULT, "error"), (NEEDS_RESTART, "warning"), (AUTH_OK, "info"), (STORE_FLAG, "debug")]
)
def test_a_kind_has_its_level(kind: str, level: str, capsys: pytest.CaptureFixture[str]) -> None:
    levels = ["debug", "info", "warning", "error"]
    assert json.loads(said(capsys, kind, "json"))["level"] == level
    assert [each for each in levels if said(capsys, kind, level=each)] == levels[: levels.index(level) + 1]


def test_a_fault_has_its_traceback(capsys: pytest.CaptureFixture[str]) -> None:
    line = said(capsys, FAULT, cause="DATA", data={"exception": KeyError("x")})
    assert "KeyError: 'x'" in line
    assert "exception=" not in line
