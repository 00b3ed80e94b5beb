"""SCRAM-SHA-256 as a client: the password is proven and not told, and the server proves that it knows it (RFC 5802, RFC 7677).

Three messages: who I am, what you must count with, the proof. Pure but for the hashing: `rounds` says how long that takes, so that
it is done in a thread.
"""

import base64
import binascii
import hmac
import re
import secrets
import stringprep
import unicodedata
from dataclasses import dataclass
from hashlib import pbkdf2_hmac, sha256

NAME = "SCRAM-SHA-256"
LEAST_ROUNDS = 4_096
"""RFC 7677 section 4."""
MOST_ROUNDS = 2_000_000
"""Of what a server asks for: a second or two of work."""
WITHOUT_BINDING = b"n,,"
"""gs2-header: we know no channel binding (RFC 5802 section 6)."""
_FIRST = re.compile(rb"r=([!-+\--~]+),s=([A-Za-z0-9/+=]+),i=([1-9][0-9]{0,9})(?:,.*)?")


class ScramProblem(Exception):
    """The server does not do what SCRAM says, or does not know the password."""


@dataclass(frozen=True, slots=True)
class ServerFirst:
    """server-first-message = nonce "," salt "," iteration-count"""

    raw: bytes
    nonce: bytes
    salt: bytes
    rounds: int


@dataclass(frozen=True, slots=True)
class Final:
    """What we send, and what the server must then say."""

    message: bytes
    verifier: bytes


class ScramClient:
    """One login."""

    def __init__(self, user: str, password: str, nonce: bytes | None = None) -> None:
        self._password = prepared(password)
        self._nonce = nonce or base64.b64encode(secrets.token_bytes(18))
        name = prepared(user).replace("=", "=3D").replace(",", "=2C").encode()
        self._bare = b"n=" + name + b",r=" + self._nonce

    def first(self) -> bytes:
        """client-first-message = gs2-header client-first-message-bare"""
        return WITHOUT_BINDING + self._bare

    def read(self, challenge: bytes) -> ServerFirst:
        """Raises `ScramProblem`."""
        found = _FIRST.fullmatch(challenge)
        if found is None or not found[1].startswith(self._nonce) or found[1] == self._nonce:
            raise ScramProblem("the server's first message is none of SCRAM")
        rounds = int(found[3])
        if not LEAST_ROUNDS <= rounds <= MOST_ROUNDS:
            raise ScramProblem(f"the server asks for {rounds} rounds")
        try:
            salt = base64.b64decode(found[2], validate=True)
        except binascii.Error:
            raise ScramProblem("the server's salt is no base64") from None
        return ServerFirst(challenge, found[1], salt, rounds)

    def final(self, first: ServerFirst) -> Final:
        """client-final-message = channel-binding "," nonce "," proof. For a thread: it hashes `first.rounds` times."""
        salted = pbkdf2_hmac("sha256", self._password.encode(), first.salt, first.rounds)
        client_key = _hmac(salted, b"Client Key")
        without_proof = b"c=" + base64.b64encode(WITHOUT_BINDING) + b",r=" + first.nonce
        signed = self._bare + b"," + first.raw + b"," + without_proof
        signature = _hmac(sha256(client_key).digest(), signed)
        proof = bytes(one ^ other for one, other in zip(client_key, signature, strict=True))
        message = without_proof + b",p=" + base64.b64encode(proof)
        return Final(message, b"v=" + base64.b64encode(_hmac(_hmac(salted, b"Server Key"), signed)))

    @staticmethod
    def check(final: Final, said: bytes) -> None:
        """server-final-message = verifier. Raises `ScramProblem` for a server that does not know the password."""
        if not hmac.compare_digest(said.partition(b",")[0], final.verifier):
            raise ScramProblem("the server could not prove that it knows the password")


def _hmac(key: bytes, octets: bytes) -> bytes:
    return hmac.digest(key, octets, "sha256")


def prepared(text: str) -> str:
    """SASLprep (RFC 4013) as far as it changes a text; what it forbids is sent as it is: the server will say no."""
    if text.isascii():
        return text
    mapped = "".join(
        " " if stringprep.in_table_c12(each) else each for each in text if not stringprep.in_table_b1(each)
    )
    return unicodedata.normalize("NFKC", mapped)
