"""Where events go: the log for the administrator, the wire log for whoever watches the dialogue."""

import sys
import traceback
from typing import TextIO

import structlog

from mailhost.events.event import DATA_BLOCK, FAULT, Event
from mailhost.ids import text_of

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
    fields = {name: value for name, value in event.data.items() if name != "exception"}
    if event.connection is not None:
        fields["connection"] = str(event.connection)
    if event.journey is not None:
        fields["journey"] = text_of(event.journey)
    if event.cause:
        fields["cause"] = event.cause
    if event.kind == FAULT:
        exception = event.data.get("exception")
        if isinstance(exception, BaseException):
            fields["traceback"] = "".join(traceback.format_exception(exception))
        logger.error(event.kind, **fields)
    else:
        logger.info(event.kind, **fields)


class WireLog:
    """The dialogue of every session, as RFCs print it: C: for the client, S: for the server."""

    def __init__(self, stream: TextIO = sys.stderr) -> None:
        self._stream = stream

    def __call__(self, event: Event) -> None:
        if not event.direction:
            if event.kind.startswith("conn."):
                self._write(
                    event,
                    "--",
                    f"{event.kind} {' '.join(f'{k}={v}' for k, v in event.data.items())} {event.cause}".rstrip(),
                )
            return
        if event.kind == DATA_BLOCK:
            self._write(event, "C:", f"[{len(event.octets)} octets of a message]")
            return
        for line in event.octets[:LONGEST_SHOWN].removesuffix(b"\r\n").split(b"\r\n"):
            self._write(event, f"{event.direction}:", line.decode("utf-8", "backslashreplace"))

    def _write(self, event: Event, mark: str, text: str) -> None:
        """Control characters are shown, never sent to the terminal."""
        shown = "".join(c if c.isprintable() else f"\\x{ord(c):02x}" for c in text)
        connection = "" if event.connection is None else str(event.connection)
        protocol = event.data.get("protocol", "")
        seconds, milliseconds = divmod(event.at, 1000)
        clock = f"{seconds // 3600 % 24:02}:{seconds // 60 % 60:02}:{seconds % 60:02}.{milliseconds:03}"
        self._stream.write(f"{clock} {protocol:4} {connection:>4} {mark} {shown}\n")
        self._stream.flush()
