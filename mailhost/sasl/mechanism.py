"""What a login mechanism is: a short dialogue that ends with a user name and a password."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

Ask = Callable[[bytes], Awaitable[bytes]]
"""Send a challenge and answer with the response, both decoded. Each protocol gives its own (334, "+ ")."""


class SASLProblem(Exception):
    """The response does not read as the mechanism says."""


class SASLAborted(Exception):
    """The client gave up with "*" (RFC 4422 section 3.5)."""


@dataclass(frozen=True, slots=True)
class Credentials:
    """What the client says of itself. `authorize` is whom it wants to act as, if not itself."""

    user: str
    password: str
    authorize: str = ""

    def __repr__(self) -> str:
        return f"Credentials({self.user!r}, ***)"


@dataclass(frozen=True, slots=True)
class Mechanism:
    """One mechanism: `exchange` is given the initial response, if there was one, and may ask on."""

    name: str
    exchange: Callable[[bytes | None, Ask], Awaitable[Credentials]]
    plaintext: bool = True
    """Whether the password is there to read: not without TLS."""


def text(octets: bytes) -> str:
    """UTF-8 (RFC 4616 section 2); old clients send the charset of their system, which is then read as Latin-1."""
    try:
        return octets.decode()
    except UnicodeDecodeError:
        return octets.decode("latin-1")
