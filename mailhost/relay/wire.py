"""The relay's dialogues for who watches the wire: events like those of the server's sessions, in which we are the client."""

from mailhost.conversation.session import connections
from mailhost.events.event import (
    CONNECTION_CLOSE,
    CONNECTION_OPEN,
    CONNECTION_TLS,
    DATA_BLOCK,
    LINE_IN,
    LINE_OUT,
    Events,
)
from mailhost.ids import ConnectionId, JourneyId
from mailhost.transport.dial import Outgoing


class Wire:
    """One connection; made only where somebody wants lines. The last event is that of its end."""

    def __init__(self, events: Events, outgoing: Outgoing, host: str, protocol: str) -> None:
        self._events, self._connection = events, ConnectionId(next(connections))
        self._protocol = protocol
        self.journey: JourneyId | None = None
        """Of the message that is under way."""
        self._start = 0
        """Octets of its content that went before."""
        outgoing.when_encrypted = lambda tls: self._publish(CONNECTION_TLS, data={"tls": tls})
        outgoing.when_lost = lambda cause: self._publish(CONNECTION_CLOSE, cause=cause)
        peer = outgoing.channel.peer
        where = {"host": host, "address": peer.address, "port": peer.port, "outgoing": True}
        self._publish(CONNECTION_OPEN, data=where)

    def said(self, line: bytes) -> None:
        if line.startswith(b"MAIL "):
            self._start = 0
        self._publish(LINE_OUT, direction="C", octets=line)

    def heard(self, line: bytes) -> None:
        self._publish(LINE_IN, direction="S", octets=line + b"\r\n")

    def sent(self, octets: bytes) -> None:
        if octets:
            self._publish(DATA_BLOCK, {"start": self._start}, direction="C", octets=octets)
            self._start += len(octets)

    def _publish(self, kind: str, data: dict[str, object] | None = None, **fields: object) -> None:
        its = {"protocol": self._protocol} | (data or {})
        self._events.publish(kind, connection=self._connection, journey=self.journey, data=its, **fields)
