"""Where events go: the log for the administrator. The wire log is in `wire_log`."""

import enum
import sys
import traceback
from collections.abc import Mapping, MutableMapping
from dataclasses import fields as dataclass_fields
from dataclasses import is_dataclass
from typing import Any

import structlog

from mailhost.events.event import (
    CERTIFICATE_ENDS,
    FAULT,
    NEEDS_RESTART,
    PORT_BLOCKED,
    RELAY_SLEPT,
    RELOAD_REFUSED,
    SETTING_DOUBTFUL,
    STORE_FETCH,
    STORE_FLAG,
    TRACE_FULL,
    Event,
)
from mailhost.events.messages import Messages
from mailhost.events.wire_text import printable
from mailhost.ids import text_of

SPECIAL = frozenset(" \t=\r\n\"'")
"""A text with one of these is written in quotation marks."""
LEVELS = {"debug": 10, "info": 20, "warning": 30, "error": 40}


def configure_log(level: str, form: str) -> None:
    """To standard error: lines for people, or JSON for programs."""
    people = [in_words, structlog.dev.ConsoleRenderer() if sys.stderr.isatty() else plain_line]
    renderers = [structlog.processors.JSONRenderer()] if form == "json" else people
    structlog.configure(
        processors=[structlog.processors.add_log_level, structlog.processors.TimeStamper(fmt="iso"), *renderers],
        wrapper_class=structlog.make_filtering_bound_logger(LEVELS[level]),
        logger_factory=structlog.WriteLoggerFactory(sys.stderr),
    )


def plain_line(_logger: Any, _method: str, fields: Any) -> str:
    """What structlog's own renderer writes without colours, in a fourth of its time: a busy server logs thousands of lines a second."""
    at, level, event = (fields.pop(name) for name in ("timestamp", "level", "event"))
    words = [f"{name}={_quoted(value)}" for name, value in sorted(fields.items())]
    return " ".join([at, f"[{level:9}]", f"{event:30}", *words]).rstrip(" ")


def _quoted(value: Any) -> str:
    return value if isinstance(value, str) and SPECIAL.isdisjoint(value) else repr(value)


LEVEL_OF: Mapping[str, str] = {
    FAULT: "error",
    RELOAD_REFUSED: "error",
    CERTIFICATE_ENDS: "warning",
    NEEDS_RESTART: "warning",
    SETTING_DOUBTFUL: "warning",
    TRACE_FULL: "warning",
    PORT_BLOCKED: "warning",
    RELAY_SLEPT: "warning",
    STORE_FETCH: "debug",
    STORE_FLAG: "debug",
}
"""How important a kind of event is; all others are "info"."""


def log(event: Event) -> None:
    """One line an event: what happened, to whom, why."""
    logger, level = structlog.get_logger().bind(), LEVELS[LEVEL_OF.get(event.kind, "info")]
    if not logger.is_enabled_for(level):
        return
    fields = {name: _plain(value) for name, value in event.data.items() if name != "exception"}
    if event.connection is not None:
        fields["connection"] = str(event.connection)
    if event.journey is not None:
        fields["journey"] = text_of(event.journey)
    if event.cause:
        fields["cause"] = _plain(event.cause)
    exception = event.data.get("exception")
    if event.kind == FAULT and isinstance(exception, BaseException):
        fields["traceback"] = "".join(traceback.format_exception(exception))
    said = {name: value for name, value in fields.items() if value not in (None, "")}
    logger.log(level, event.kind, **said)


def _plain(value: Any) -> Any:
    """What JSON has words for; and text without control characters, for a client's words may hold any."""
    if isinstance(value, enum.Enum):
        return value.name.lower()
    if isinstance(value, Messages):
        return printable(str(value))
    if is_dataclass(value) and not isinstance(value, type):
        return {each.name: _plain(getattr(value, each.name)) for each in dataclass_fields(value)}
    if isinstance(value, Mapping):
        return {str(key): _plain(each) for key, each in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_plain(each) for each in value]
    if isinstance(value, bytes):
        return printable(value.decode("utf-8", "backslashreplace"))
    return printable(value) if isinstance(value, str) else value


def in_words(_: object, __: str, fields: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """For people: no brackets and quotes of a programming language."""
    return {name: _words(value) if isinstance(value, dict | list) else value for name, value in fields.items()}


def _words(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name} {_words(each)}" for name, each in value.items())
    return ",".join(map(_words, value)) if isinstance(value, list) else str(value)
