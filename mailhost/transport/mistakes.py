"""What a client's settings do wrong, recognised by its first octets or by how its handshake failed, each with its cure."""

from collections.abc import Mapping

from mailhost.transport.channel import ChannelError, Peer

TLS_BEGINS = b"\x16\x03"
"""A record of type handshake, its version 3.x (RFC 8446 section 5.1): no command of ours begins so."""

HANDSHAKE_FAILURES: Mapping[str, str] = {
    "unsupported protocol": "old TLS: the client offers no version newer than 1.1; update it, or its system",
    "version too low": "old TLS: the client offers no version newer than 1.1; update it, or its system",
    "unknown protocol": "old TLS: the client speaks SSL 2 or 3; update it, or its system",
    "no shared cipher": "TLS: the client knows none of our ciphers; update it, or its system",
    "wrong version number": "plaintext where TLS was to begin: the client, or somebody in between, went on in clear",
    "http request": "plaintext where TLS was to begin: a web browser asks here",
    "alert unknown ca": "certificate refused by the client: it does not trust who signed it; import the CA, or get another",
    "alert certificate unknown": "certificate refused by the client: look at the server name it was given, and at the CA",
    "alert bad certificate": "certificate refused by the client: look at the server name it was given, and at the CA",
    "alert certificate expired": "certificate refused by the client: it has expired, or the client's clock is wrong",
    "alert protocol version": "TLS: the client does not speak the versions of this server",
}
"""The reasons of OpenSSL, in words for the administrator."""


class ClientMistake(ChannelError):
    """The client is set up in a way that cannot work; the text names the mistake and its cure."""

    said = ""
    """What the client hears, where it can hear anything."""


class TLSInClear(ClientMistake):
    """A ClientHello where a command belongs: the client takes the port for one with TLS from the first octet."""

    def __init__(self, peer: Peer) -> None:
        super().__init__(f"TLS on a plaintext port: in the client choose STARTTLS{_or_port(peer, 'SSL/TLS')}")


class PlaintextForTLS(ClientMistake):
    """No ClientHello where TLS begins with the first octet (RFC 8314 section 3)."""

    def __init__(self, peer: Peer) -> None:
        cure = f"set SSL/TLS in the client{_or_port(peer, 'STARTTLS')}"
        super().__init__(f"plaintext on a TLS port: {cure}")
        self.said = f"This port speaks TLS from the first octet: {cure}"


class HandshakeFailed(ClientMistake):
    """TLS did not begin, for a reason that can be named."""


def handshake_failure(error: object) -> ChannelError | ConnectionError:
    """What to raise for the error with which Twisted ended the connection in the middle of a handshake."""
    reasons = str(error).lower()
    named = next((words for reason, words in HANDSHAKE_FAILURES.items() if reason in reasons), "")
    return HandshakeFailed(named) if named else ConnectionError(str(error))


def _or_port(peer: Peer, security: str) -> str:
    return f", or port {peer.twin} with {security}" if peer.twin else ""
