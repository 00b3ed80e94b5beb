"""Where events go: the log for the administrator. The wire log is in `wire_log`."""

import sys
import traceback
from typing import Any

import structlog

from mailhost.events.event import FAULT, Event
from mailhost.events.messages import Messages
from mailhost.events.wire_text import printable
from mailhost.ids import text_of

SPECIAL = frozenset(" \t=\r\n\"'")
"""A text with one of these is written in quotation marks."""
LEVELS = {"debug": 10, "info": 20, "warning": 30, "error": 40}


def configure_log(level: str, form: str) -> None:
    """To standard error: lines for people, or JSON for programs."""
    to_file = structlog.processors.JSONRenderer() if form == "json" else plain_line
    renderer = structlog.dev.ConsoleRenderer() if form == "text" and sys.stderr.isatty() else to_file
    structlog.configure(
        processors=[structlog.processors.add_log_level, structlog.processors.TimeStamper(fmt="iso"), renderer],
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


def log(event: Event) -> None:
    """One line an event: what happened, to whom, why."""
    logger = structlog.get_logger()
    fields = {name: _printable(value) for name, value in event.data.items() if name != "exception"}
    if event.connection is not None:
        fields["connection"] = str(event.connection)
    if event.journey is not None:
        fields["journey"] = text_of(event.journey)
    if event.cause:
        fields["cause"] = _printable(event.cause)
    if event.kind == FAULT:
        exception = event.data.get("exception")
        if isinstance(exception, BaseException):
            fields["traceback"] = "".join(traceback.format_exception(exception))
        logger.error(event.kind, **fields)
    else:
        logger.info(event.kind, **fields)


def _printable(value: Any) -> Any:
    if isinstance(value, Messages):
        value = str(value)
    return printable(value) if isinstance(value, str) else value
