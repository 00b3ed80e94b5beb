"""One event, and the place where events go out to whoever listens."""

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from mailhost.ids import ConnectionId, JourneyId, Millis, now

Sink = Callable[["Event"], None]

CONNECTION_OPEN, CONNECTION_CLOSE, CONNECTION_TLS = "conn.open", "conn.close", "conn.tls"
LINE_IN, LINE_OUT, DATA_BLOCK = "line.in", "line.out", "data.block"
AUTH_OK, AUTH_FAIL = "auth.ok", "auth.fail"
CLIENT_ID = "client.id"
"""What an IMAP client says of itself (RFC 2971)."""
CLIENT_MISTAKE = "client.mistake"
"""A client's settings that cannot work, recognised; the cause names the cure."""
QUEUE_ADD, STORE_ADD, STORE_FLAG, STORE_EXPUNGE = "queue.add", "store.add", "store.flag", "store.expunge"
QUEUE_TRY, QUEUE_DEFER, QUEUE_DONE = "queue.try", "queue.defer", "queue.done"
NOTICE_SENT = "notice.sent"
"""A sender is told; the journeys of the message and of the notice name each other."""
NOTICE_WITHHELD = "notice.withheld"
"""A sender is not told of what happened to its message; the cause says why."""
QUEUE_ACT = "queue.act"
"""What an administrator did with what waits."""
PORT_BLOCKED, PORT_OPEN = "relay.blocked", "relay.open"
"""No host anywhere answers on port 25; and one does again."""
RELAY_SLEPT = "relay.slept"
"""The node did not renew its lease in time, as after its machine was suspended."""
STORE_FETCH = "store.fetch"
"""The text of messages went out to a client."""
REFUSED, FAULT = "refused", "fault"
TRACE_FULL = "trace.full"
"""More than is recorded."""
SERVES, ENDED = "server.serves", "server.ended"
LOOP_BLOCKED = "loop.blocked"
RELOADED, RELOAD_REFUSED, NEEDS_RESTART = "server.reloaded", "server.reload_refused", "server.needs_restart"
CERTIFICATE_ENDS, SETTING_DOUBTFUL = "server.certificate_ends", "server.setting_doubtful"
LINES = frozenset({LINE_IN, LINE_OUT, DATA_BLOCK})


@dataclass(frozen=True, slots=True)
class Event:
    """A step of a session or of a message's journey. Secrets are masked before it is made."""

    at: Millis
    kind: str
    node: int = 0
    connection: ConnectionId | None = None
    journey: JourneyId | None = None
    direction: str = ""
    """"C" for what the client sent, "S" for what the server said."""
    octets: bytes = b""
    before: str = ""
    after: str = ""
    cause: str = ""
    data: Mapping[str, Any] = field(default_factory=dict)


class Events:
    """Sinks subscribe, sessions publish. With no sink for lines the cost of a line is one attribute test."""

    def __init__(self, node: int = 0) -> None:
        self._node = node
        self._sinks: list[Sink] = []
        self._line_sinks: list[Sink] = []
        self.lines = False
        """Whether anybody wants `LINES`."""

    def subscribe(self, sink: Sink, *, lines: bool = False) -> None:
        self._sinks.append(sink)
        if lines:
            self._line_sinks.append(sink)
            self.lines = True

    def publish(self, kind: str, **fields: Any) -> None:
        """Make an event of `kind` and hand it to each sink."""
        sinks = self._line_sinks if kind in LINES else self._sinks
        if sinks:
            event = Event(now(), kind, self._node, **fields)
            for sink in sinks:
                with suppress(Exception):  # a log that cannot be written (a full disk) must not stop the mail
                    sink(event)
