"""Fields of addresses in ASCII: display names and comments encoded, domains as A-labels, and groups for what has no such form.

RFC 6857 sections 3.1.2 to 3.1.8. Tolerant: every value gives an answer, and what was ASCII in it stays as it was written.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from mailhost.message.address import AddressProblem, parse_domain
from mailhost.message.encoded_words import Word, encoded, text_of, words
from mailhost.message.lexical import comment_end, unescape, without_comments

REMOVED = b" Removed:;"
LONGEST_DOMAIN = 1_000
"""Octets that are looked at for a name in DNS."""

_TOKEN = re.compile(
    rb'(?P<blank>\s++)|(?P<quoted>"(?:[^"\\]++|\\.|\\\Z)*"?)|(?P<angle><(?:[^<>"]++|"(?:[^"\\]++|\\.)*")*>?)'
    rb"|(?P<mark>[,:;])|(?P<comment>\()|(?P<word>\[[^\]]*+\]?|[^\s\"(),:;<>\[]++|.)",
    re.DOTALL,
)


@dataclass(slots=True)
class _Entry:
    """One mailbox, or the name of a group: what stands between two marks."""

    start: int
    words: list[Word] = field(default_factory=list)
    comments: list[bytes] = field(default_factory=list)
    angle: bytes | None = None
    raw: bytes = b""
    end: int = 0
    mark: bytes = b""
    """What ended it: a comma, a colon, a semicolon, or nothing."""


def address_tokens(value: bytes, room: int) -> list[bytes]:
    """Address-list, for `folded`."""
    tokens: list[bytes] = []
    group: _Group | None = None
    for entry in _entries(value):
        if group is not None:
            group.take(entry)
            if entry.mark == b";":
                _append(tokens, group.tokens(value, room))
                group = None
        elif entry.mark == b":":
            group = _Group(entry)
        else:
            _append(tokens, _mailbox(entry, room)[0])
    if group is not None:
        _append(tokens, group.tokens(value, room))
    return tokens


def addr_spec(written: bytes) -> bytes | None:
    """Addr-spec with A-labels for the domain (RFC 6857 section 3.1.6); None where the local part is not ASCII."""
    spec = without_comments(written).strip()
    if spec.startswith(b"@"):  # obs-route
        spec = spec.rpartition(b":")[2]
    local, at, domain = spec.rpartition(b"@")
    if not at or not local.isascii() or len(domain) > LONGEST_DOMAIN:
        return None
    if domain.isascii():
        return spec
    try:
        return local.strip() + b"@" + parse_domain(text_of(domain.strip())).encode("ascii")
    except (AddressProblem, UnicodeEncodeError):
        return None


def comment_tokens(comment: bytes, room: int) -> list[bytes]:
    """A comment with its parentheses (RFC 6857 section 3.1.3)."""
    if comment.isascii():
        return [b" " + comment]
    inside = unescape(comment[1:-1] if comment.endswith(b")") else comment[1:])
    first, *others = encoded(text_of(inside), room)
    tokens = [b" (" + first, *(b" " + each for each in others)]
    tokens[-1] += b")"
    return tokens


class _Group:
    """A group; one whose members cannot all be told is told by its name and, encoded, its members (RFC 6857 section 3.1.7)."""

    def __init__(self, name: _Entry) -> None:
        self._name = name
        self._members: list[_Entry] = []

    def take(self, member: _Entry) -> None:
        self._members.append(member)

    def tokens(self, value: bytes, room: int) -> list[bytes]:
        members: list[bytes] = []
        name = _phrase(self._name, room)
        for each in self._members:
            tokens, is_removed = _mailbox(each, room)
            if is_removed:
                listed = value[self._name.end : self._members[-1].end].strip()
                return [*name, *(b" " + word for word in encoded(text_of(listed), room)), b" :;"]
            _append(members, tokens)
        _attach(name, b":")
        _attach(members, b";")
        return name + members


def _entries(value: bytes) -> Iterator[_Entry]:
    entry, blank = _Entry(0), b""
    at = 0
    while token := _TOKEN.match(value, at):
        at = token.end()
        if token["mark"]:
            yield _ended(entry, value, token.start(), token["mark"])
            entry, blank = _Entry(at), b""
        elif token["comment"]:
            start, at = token.start(), comment_end(value, token.start())
            entry.comments.append(value[start:at])
        elif token["blank"]:
            blank = b" "
        elif token["angle"] and entry.angle is None:
            entry.angle = token["angle"]
        else:
            entry.words.append(Word(blank, token[0], _meaning(token)))
            blank = b""
    yield _ended(entry, value, len(value), b"")


def _ended(entry: _Entry, value: bytes, end: int, mark: bytes) -> _Entry:
    entry.raw, entry.end, entry.mark = value[entry.start : end].strip(), end + len(mark), mark
    return entry


def _meaning(token: "re.Match[bytes]") -> bytes:
    quoted = token["quoted"]
    return token[0] if quoted is None else unescape(quoted[1:].removesuffix(b'"'))


def _mailbox(entry: _Entry, room: int) -> tuple[list[bytes], bool]:
    """Mailbox = name-addr / addr-spec; and whether its address had to be removed."""
    if entry.raw.isascii():
        return ([b" " + entry.raw] if entry.raw else []), False
    written = entry.angle
    if written is not None and written.isascii():  # a List-Id as well, which is no address
        return [*_phrase(entry, room), b" " + written, *_comments(entry, room)], False
    if written is not None:
        return _with_address(_phrase(entry, room), written.strip(b"<>"), entry, room)
    if any(b"@" in word.written for word in entry.words):
        bare = b"".join([word.written for word in entry.words])
        return _with_address([], bare, entry, room)
    return [*_phrase(entry, room), *_comments(entry, room)], False


def _with_address(name: list[bytes], written: bytes, entry: _Entry, room: int) -> tuple[list[bytes], bool]:
    spec = addr_spec(written)
    if spec is None:
        told = [b" " + word for word in encoded(text_of(written.strip()), room)]
        return [*name, b" Internationalized", b" Address", *told, REMOVED, *_comments(entry, room)], True
    address = b" " + spec if entry.angle is None else b" <" + spec + b">"
    return [*name, address, *_comments(entry, room)], False


def _phrase(entry: _Entry, room: int) -> list[bytes]:
    return words(entry.words, room)


def _comments(entry: _Entry, room: int) -> list[bytes]:
    return [token for comment in entry.comments for token in comment_tokens(comment, room)]


def _append(tokens: list[bytes], more: list[bytes]) -> None:
    """A comma, where there is something to separate."""
    if tokens and more:
        _attach(tokens, b",")
    tokens += more


def _attach(tokens: list[bytes], mark: bytes) -> None:
    """An encoded word keeps its distance from a mark (RFC 2047 section 5)."""
    if tokens and not tokens[-1].endswith(b"?="):
        tokens[-1] += mark
    else:
        tokens.append(b" " + mark)
