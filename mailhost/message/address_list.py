"""The addresses of a header field (RFC 5322 section 3.4), read as ENVELOPE shows them.

Tolerant: every text gives a list. What is no address at all becomes a mailbox without a domain.
"""

import re
from typing import NamedTuple

from mailhost.message.lexical import comment_end, unescape

MOST_WORDS = 2_000
"""In one address; blanks and marks count as words."""


class Listed(NamedTuple):
    """One address in the four words of RFC 3501 section 7.4.2.

    A group is a start (only `mailbox`, its name), its members, and an end (nothing at all).
    """

    name: bytes | None
    route: bytes | None
    mailbox: bytes | None
    host: bytes | None


GROUP_END = Listed(None, None, None, None)

_ATOM = rb'[^\s"(),:;<>@\[\]\\]++'
_SIMPLE = re.compile(
    rb'\s*+(?:(?:"([^"\\]*+)"|([^"(),:;<>@\[\]\\]*+))\s*+<(' + _ATOM + rb")@(" + _ATOM + rb")>"
    rb"|(" + _ATOM + rb")@(" + _ATOM + rb"))\s*+(?:,|(?=;)|\Z)"
)
"""What nearly all senders write: `Name <local@domain>` or `local@domain`."""

_SEPARATORS = re.compile(rb"[\s,]*+")
_TOKEN = re.compile(
    rb'(?P<blank>\s++)|"(?P<quoted>(?:[^"\\]++|\\.|\\\Z)*)"?|(?P<mark>[<>(),:;@])'
    rb'|(?P<word>\[[^\]]*+\]?|[^\s"(),:;<>@\[]++)',
    re.DOTALL,
)


def address_list(value: bytes, most: int) -> list[Listed]:
    """The addresses in an unfolded value, `most` of them at most (and the end of a group that was begun)."""
    reader = _ListReader(value)
    for _ in range(2 * most + 1):  # a group that is empty, or nothing at all, costs work too
        if reader.at >= len(value) or len(reader.found) >= most:
            break
        reader.read_one()
    if reader.in_group:
        reader.found.append(GROUP_END)
    return reader.found


class _ListReader:
    __slots__ = ("at", "found", "in_group", "value")

    def __init__(self, value: bytes) -> None:
        self.value = value
        self.at = 0
        self.found: list[Listed] = []
        self.in_group = False

    def read_one(self) -> None:
        simple = _SIMPLE.match(self.value, self.at)
        if simple is None:
            self.at = _SEPARATORS.match(self.value, self.at).end()  # type: ignore[union-attr]  # it matches nothing, too
            self._read_any()
            return
        self.at = simple.end()
        quoted, phrase, local, domain, bare_local, bare_domain = simple.groups()
        if bare_local is not None:
            self.found.append(Listed(None, None, bare_local, bare_domain))
        else:
            name = b" ".join(phrase.split()) if quoted is None else quoted
            self.found.append(Listed(name or None, None, local, domain))

    def _read_any(self) -> None:
        """One address = mailbox / group, up to the comma, colon or semicolon that ends it."""
        entry = _Entry()
        for _ in range(MOST_WORDS):
            token = _TOKEN.match(self.value, self.at)
            if token is None:
                return self._end(entry, b"")
            self.at = token.end()
            mark = token["mark"]
            if mark == b"(":
                self._comment(entry)
            elif not entry.take(token, mark):
                return self._end(entry, mark)
        self._skip_the_rest()
        return self._end(entry, b"")

    def _skip_the_rest(self) -> None:
        """Nobody has a name of so many words: the next address begins after a comma."""
        comma = self.value.find(b",", self.at)
        self.at = len(self.value) if comma < 0 else comma + 1

    def _comment(self, entry: "_Entry") -> None:
        start, self.at = self.at, comment_end(self.value, self.at - 1)
        closed = self.value[self.at - 1 : self.at] == b")"
        entry.comment = unescape(self.value[start : self.at - closed])

    def _end(self, entry: "_Entry", mark: bytes) -> None:
        if mark == b":":
            self._begin_group(entry)
            return
        if not entry.is_empty:
            self.found.append(entry.listed())
        if mark == b";" and self.in_group:
            self.found.append(GROUP_END)
            self.in_group = False

    def _begin_group(self, entry: "_Entry") -> None:
        """A group = display-name ":" [group-list] ";" does not nest."""
        if not self.in_group:
            self.found.append(Listed(None, None, entry.phrase_text, None))
            self.in_group = True


class _Entry:
    """What was read of one address so far: the words as a phrase and as an addr-spec, for we learn late which it is."""

    __slots__ = ("comment", "in_angle", "local_ends", "phrase", "route", "spec", "was_angle")

    def __init__(self) -> None:
        self.phrase: list[bytes] = []
        self.spec: list[bytes] = []
        self.local_ends = -1
        self.route: bytes | None = None
        self.comment: bytes | None = None
        self.in_angle = self.was_angle = False

    def take(self, token: "re.Match[bytes]", mark: bytes | None) -> bool:
        """False when the token ends this address."""
        if mark is None:
            self._word(token)
            return True
        if mark in b"<>":
            self._angle(mark)
            return True
        if mark == b"@":
            self._at()
            return True
        return self._inside(mark)

    def _word(self, token: "re.Match[bytes]") -> None:
        blank, quoted = token["blank"], token["quoted"]
        text = b" " if blank else token["word"] if quoted is None else unescape(quoted)
        if self.was_angle and not self.in_angle:
            return
        if not self.in_angle and not (blank and self.phrase[-1:] == [b" "]):
            self.phrase.append(text)
        if not blank:
            self.spec.append(text)

    def _at(self) -> None:
        if self.in_angle or not self.was_angle:
            self.local_ends = len(self.spec)
            self.spec.append(b"@")
            if not self.in_angle:
                self.phrase.append(b"@")

    def _angle(self, mark: bytes) -> None:
        if mark == b"<" and not self.was_angle:
            self.spec, self.local_ends = [], -1
            self.in_angle = self.was_angle = True
        else:
            self.in_angle = False

    def _inside(self, mark: bytes) -> bool:
        """obs-route = "@" domain *("," "@" domain) ":" stands between the angles; elsewhere these marks end an address."""
        is_route = self.in_angle and self.spec[:1] == [b"@"] and self.route is None
        if is_route and mark == b",":
            self.spec.append(mark)
        elif is_route and mark == b":":
            self.route, self.spec, self.local_ends = b"".join(self.spec), [], -1
        else:
            return bool(self.in_angle and mark == b":")
        return True

    @property
    def is_empty(self) -> bool:
        return not self.spec and not self.phrase_text

    @property
    def phrase_text(self) -> bytes:
        return b"".join(self.phrase).strip()

    def listed(self) -> Listed:
        if not self.was_angle and self.local_ends < 0:
            return Listed(self.comment, None, self.phrase_text, b"")
        local = self.spec if self.local_ends < 0 else self.spec[: self.local_ends]
        domain = [] if self.local_ends < 0 else self.spec[self.local_ends + 1 :]
        name = self.phrase_text if self.was_angle else b""
        return Listed(name or self.comment, self.route, b"".join(local), b"".join(domain))
