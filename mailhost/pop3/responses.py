"""All that the server can say: named responses, and multi-line ones as a stream over pieces (RFC 1939 section 3)."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import TypeAlias

from mailhost.ids import Uid, UidValidity
from mailhost.message.newlines import CRLF

AUTH, IN_USE, SYS_TEMP, SYS_PERM = "AUTH", "IN-USE", "SYS/TEMP", "SYS/PERM"
"""Response codes (RFC 2449 section 8, RFC 3206 section 4)."""

LINES_A_PIECE = 1000


@dataclass(frozen=True, slots=True)
class Response:
    """One line: +OK or -ERR, a code in brackets that programs understand, and a text for people."""

    positive: bool
    text: str
    code: str = ""

    def __bytes__(self) -> bytes:
        status = "+OK" if self.positive else "-ERR"
        code = f" [{self.code}]" if self.code else ""
        return f"{status}{code} {self.text}\r\n".encode()


@dataclass(frozen=True, slots=True)
class Ending:
    """The last octets of a multi-line response; the rest has been written."""

    octets: bytes

    def __bytes__(self) -> bytes:
        return self.octets


Answer: TypeAlias = Response | Ending


def ok(text: str) -> Response:
    return Response(True, text)


def err(text: str, code: str = "") -> Response:
    return Response(False, text, code)


USER_ACCEPTED = ok("Send the password")
"""For every name alike: who has a maildrop here is nobody's business."""
BEGIN_TLS = ok("Begin TLS negotiation")
UTF8_TAKEN = ok("Headers come in UTF-8")
DONE = ok("Done")
GOODBYE = ok("Goodbye")
CAPABILITIES = ok("Capabilities")
MECHANISMS_FOLLOW = ok("Mechanisms")

UNKNOWN = err("Unknown command")
FAULT = err("A fault in the server, not in your command", SYS_TEMP)
UNAVAILABLE = err("Not now: try again later", SYS_TEMP)
LINE_TOO_LONG = "the line is too long"
TOO_MANY_ERRORS = err("Too many commands that are not understood")
ACCOUNT_CHANGED = err("Your account was changed: log in again", AUTH)
TOO_MANY_CONNECTIONS = err("Too many connections", SYS_TEMP)
USER_FIRST = err("Send USER first")
TLS_FIRST = err("No password without TLS: STLS comes first", AUTH)
TLS_ALREADY = err("TLS is active already")
WRONG_PASSWORD = err("Wrong user or password; the user is the full address", AUTH)
"""For known and unknown users alike: a hint for its owner, none for a stranger."""
ACCOUNT_DISABLED = err("This account is switched off: ask its administrator", AUTH)
LOGIN_BUSY = err("Too many logins at this moment: try again later", SYS_TEMP)
NO_SUCH_MECHANISM = err("No such mechanism: CAPA lists them; with SPA, switch it off in the client")
CANCELLED = err("Authentication cancelled")
MAILDROP_IN_USE = err("Another session has this maildrop open", IN_USE)
NO_MAILDROP = err("This account has no INBOX", SYS_PERM)
NO_SUCH_MESSAGE = err("No such message")
MESSAGE_DELETED = err("This message is marked as deleted")
MESSAGE_GONE = err("Another client has removed this message")
NOT_REMOVED = err("some deleted messages not removed", SYS_TEMP)


def greeting(host: str) -> Response:
    return ok(f"{host} POP3 ready")


def bad_syntax(problem: str) -> Response:
    return err(f"Syntax: {problem}")


def wrong_state(verb: str, logged_in: bool) -> Response:
    return err(f"{verb} is for those who are not logged in yet" if logged_in else f"{verb} comes after the login")


def maildrop_open(messages: int, octets: int) -> Response:
    return ok(f"Maildrop has {messages} messages ({octets} octets)")


def drop_listing(messages: int, octets: int) -> Response:
    """drop-listing = nn SP mm (RFC 1939 section 5, STAT)"""
    return ok(f"{messages} {octets}")


def scan_listing(number: int, octets: int) -> str:
    """scan-listing = msg SP octets (RFC 1939 section 5, LIST)"""
    return f"{number} {octets}"


def unique_id(uid_validity: UidValidity, uid: Uid) -> str:
    """16 hex digits, for ever the same: no (UIDVALIDITY, UID) ever names two messages (RFC 1939 section 7, UIDL)."""
    return f"{uid_validity:08x}{uid:08x}"


def challenge(base64: bytes) -> bytes:
    """continue-req = "+" SP [base64] CRLF (RFC 5034 section 5)"""
    return b"+ " + base64 + b"\r\n"


def listing(lines: Iterable[str]) -> Iterator[bytes]:
    """Lines of our own, many at a time."""
    rest = iter(lines)
    while some := list(islice(rest, LINES_A_PIECE)):
        yield "".join(f"{line}\r\n" for line in some).encode()


class DotStuffing:
    """A dot before each line that begins with one; works on what `CRLF` gives (RFC 1939 section 3)."""

    def __init__(self) -> None:
        self._at_line_start = True

    def take(self, piece: bytes) -> bytes:
        if not piece:
            return b""
        stuffed = piece.replace(b"\r\n.", b"\r\n..")
        if self._at_line_start and piece.startswith(b"."):
            stuffed = b"." + stuffed
        self._at_line_start = piece.endswith(b"\r\n")
        return stuffed


class MultiLine:
    """A multi-line response on its way: whatever the pieces are, only CRLF.CRLF ends it, and the dot comes in one piece."""

    def __init__(self) -> None:
        self._lines = CRLF()
        self._dots = DotStuffing()

    def take(self, piece: bytes) -> bytes:
        return self._dots.take(self._lines.take(piece))

    def end(self) -> Ending:
        return Ending(self._dots.take(self._lines.end()) + b".\r\n")


class Top:
    """The header of a message, its empty line, and so many lines of the body (RFC 1939 section 7, TOP)."""

    def __init__(self, lines: int) -> None:
        self._lines = CRLF()
        self._in_header = True
        self._at_line_start = True
        self._wanted = lines
        self.finished = False

    def take(self, piece: bytes) -> bytes:
        """As much of the piece as belongs to it."""
        if self.finished:
            return b""
        data = self._lines.take(piece)
        body_at = self._body_start(data) if self._in_header else 0
        if body_at is None:
            return data
        self._in_header = False
        return data[: self._body_end(data, body_at)]

    def end(self) -> bytes:
        return b"" if self.finished else self._lines.end()

    def _body_start(self, data: bytes) -> int | None:
        if self._at_line_start and data.startswith(b"\r\n"):
            return 2
        if data:
            self._at_line_start = data.endswith(b"\r\n")
        end = data.find(b"\r\n\r\n")
        return None if end < 0 else end + 4

    def _body_end(self, data: bytes, at: int) -> int:
        lines = data.count(b"\n", at)
        self.finished = lines >= self._wanted
        if self.finished:
            return len(data) - len(data[at:].split(b"\n", self._wanted)[-1])
        self._wanted -= lines
        return len(data)
