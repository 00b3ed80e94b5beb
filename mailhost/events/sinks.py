"""Where events go: the log for the administrator, the wire log for whoever watches the dialogue."""

import sys
import traceback
from collections.abc import Iterator
from typing import Any, TextIO

import structlog

from mailhost.events.event import CONNECTION_CLOSE, DATA_BLOCK, FAULT, PORT_BLOCKED, Event
from mailhost.events.messages import Messages
from mailhost.ids import ConnectionId, text_of

LONGEST_SHOWN = 2000
"""Octets of one line or block in the wire log."""


LEVELS = {"debug": 10, "info": 20, "warning": 30, "error": 40}


def configure_log(level: str, form: str) -> None:
    """To standard error: lines for people, or JSON for programs."""
    renderer = (
        structlog.processors.JSONRenderer()
        if form == "json"
        else structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())
    )
    structlog.configure(
        processors=[structlog.processors.add_log_level, structlog.processors.TimeStamper(fmt="iso"), renderer],
        wrapper_class=structlog.make_filtering_bound_logger(LEVELS[level]),
        logger_factory=structlog.WriteLoggerFactory(sys.stderr),
    )


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
    elif event.kind == PORT_BLOCKED:
        logger.warning(event.kind, **fields)
    else:
        logger.info(event.kind, **fields)


def _printable(value: Any) -> Any:
    """Control characters are shown, never sent to the terminal: a client's words may hold any."""
    if isinstance(value, Messages):
        value = str(value)
    if not isinstance(value, str) or value.isprintable():
        return value
    return "".join(c if c.isprintable() else f"\\x{ord(c):02x}" for c in value)


class WireLog:
    """The dialogue of every session, as RFCs print it: C: for the client, S: for the server."""

    def __init__(self, stream: TextIO = sys.stderr) -> None:
        self._stream = stream
        self._protocols: dict[ConnectionId | None, str] = {}
        """Of the connections that are open."""
        self._unended: set[ConnectionId | None] = set()
        """Where the server's last octets did not end a line: CRLF after them is no line of its own."""

    def __call__(self, event: Event) -> None:
        if "protocol" in event.data:
            self._protocols[event.connection] = event.data["protocol"]
        if event.direction:
            for line in self._shown(event):
                self._write(event, f"{event.direction}:", line)
        elif event.kind.startswith("conn."):
            data = " ".join(f"{name}={value}" for name, value in event.data.items())
            self._write(event, "--", f"{event.kind} {data} {event.cause}".rstrip())
        if event.kind == CONNECTION_CLOSE:
            self._protocols.pop(event.connection, None)
            self._unended.discard(event.connection)

    def _shown(self, event: Event) -> Iterator[str]:
        if event.kind == DATA_BLOCK:
            yield f"[{event.data.get('octets', len(event.octets))} octets of a message]"
            return
        octets = self._from_line_start(event) if event.direction == "S" else event.octets
        if octets:
            for line in octets[:LONGEST_SHOWN].removesuffix(b"\r\n").split(b"\r\n"):
                yield line.decode("utf-8", "backslashreplace")
        if len(octets) > LONGEST_SHOWN:
            yield f"[{len(octets) - LONGEST_SHOWN} octets more]"

    def _from_line_start(self, event: Event) -> bytes:
        """What the server said, without the end of a line that stands above already."""
        was_unended = event.connection in self._unended
        (self._unended.discard if event.octets.endswith(b"\r\n") else self._unended.add)(event.connection)
        return event.octets.removeprefix(b"\r\n") if was_unended else event.octets

    def _write(self, event: Event, mark: str, text: str) -> None:
        shown = _printable(text)
        connection = "" if event.connection is None else str(event.connection)
        protocol = self._protocols.get(event.connection, "")
        seconds, milliseconds = divmod(event.at, 1000)
        clock = f"{seconds // 3600 % 24:02}:{seconds // 60 % 60:02}:{seconds % 60:02}.{milliseconds:03}"
        self._stream.write(f"{clock} {protocol:4} {connection:>4} {mark} {shown}\n")
        self._stream.flush()
