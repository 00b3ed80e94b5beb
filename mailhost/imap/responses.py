"""Responses: values to octets (RFC 3501 section 7), with the response codes of RFC 5530."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from mailhost.imap import names
from mailhost.imap.names import atom_or_string
from mailhost.imap.values import BodyItem, Section, Text
from mailhost.store.values import KEYWORDS, SYSTEM_FLAGS, SystemFlag

UNTAGGED = b"*"
GO_AHEAD = b"+ OK\r\n"


@dataclass(frozen=True, slots=True)
class Status:
    """resp-cond-state = ("OK" / "NO" / "BAD") SP resp-text"""

    condition: str
    text: str
    code: str = ""

    def line(self, tag: bytes = UNTAGGED) -> bytes:
        code = f"[{self.code}] " if self.code else ""
        return tag + f" {self.condition} {code}{self.text}\r\n".encode("ascii", "replace")


def ok(text: str, code: str = "") -> Status:
    return Status("OK", text, code)


def no(text: str, code: str = "") -> Status:
    return Status("NO", text, code)


def bad(text: str, code: str = "") -> Status:
    return Status("BAD", text, code)


def bye(text: str, code: str = "") -> Status:
    return Status("BYE", text, code)


# The codes of RFC 3501 section 7.1 and RFC 5530 section 3.

ALREADYEXISTS = "ALREADYEXISTS"
AUTHENTICATIONFAILED = "AUTHENTICATIONFAILED"
CANNOT = "CANNOT"
EXPUNGEISSUED = "EXPUNGEISSUED"
LIMIT = "LIMIT"
NONEXISTENT = "NONEXISTENT"
PRIVACYREQUIRED = "PRIVACYREQUIRED"
SERVERBUG = "SERVERBUG"
TOOBIG = "TOOBIG"
TRYCREATE = "TRYCREATE"
UNAVAILABLE = "UNAVAILABLE"


def untagged(*words: bytes) -> bytes:
    return b"* %b\r\n" % b" ".join(words)


def numbered(number: int, word: bytes) -> bytes:
    """`* 3 EXISTS`, `* 3 EXPUNGE`."""
    return b"* %d %b\r\n" % (number, word)


def exists(number: int) -> bytes:
    return numbered(number, b"EXISTS")


def mailbox(name: str, *, utf8: bool = False) -> bytes:
    """A mailbox name as this client reads it."""
    return names.written(name, utf8=utf8)


_SYSTEM_NAMES = tuple(
    (int(flag), name.encode()) for name, flag in sorted(SYSTEM_FLAGS.items(), key=lambda item: item[1])
)
RECENT = rb"\Recent"
DELETED = int(SystemFlag.DELETED)


class FlagNames:
    """Flags as text, for one mailbox: its keywords have bits of their own. Each combination is written once."""

    __slots__ = ("_texts", "known", "names")

    def __init__(self, keywords: dict[str, int]) -> None:
        self.names = (*_SYSTEM_NAMES, *((bit, name.encode()) for name, bit in keywords.items()))
        self.known = 0
        for bit, _ in self.names:
            self.known |= bit
        self._texts: dict[tuple[int, bool], bytes] = {}

    @property
    def has_room(self) -> bool:
        """Whether there can be another keyword."""
        return len(self.names) < len(_SYSTEM_NAMES) + KEYWORDS

    def bits(self, keyword: str) -> int:
        """The bit of a keyword; 0 if the mailbox has none of this name."""
        wanted = keyword.lower().encode()
        return next((bit for bit, name in self.names if name.lower() == wanted), 0)

    def text(self, flags: int, recent: bool) -> bytes:
        """flag-list, without its parentheses."""
        text = self._texts.get((flags, recent))
        if text is None:
            text = b" ".join([name for bit, name in self.names if flags & bit] + [RECENT] * recent)
            if len(self._texts) < 10_000:
                self._texts[flags, recent] = text
        return text

    def all(self, *more: bytes) -> bytes:
        """All that a message may have here: what FLAGS and PERMANENTFLAGS list."""
        return b"(%b)" % b" ".join([*(name for _, name in self.names), *more])


def body_name(item: BodyItem) -> bytes:
    """The item's name as its data names it: without PEEK, and of a partial only where it begins."""
    if item.name is not None:
        return item.name
    start = b"" if item.partial is None else b"<%d>" % item.partial[0]
    return b"BODY[%b]%b" % (section(item.section), start)


def section(wanted: Section) -> bytes:
    """section-spec"""
    words = [b"%d" % number for number in wanted.part]
    if wanted.text is not Text.ALL:
        words.append(wanted.text.value)
    text = b".".join(words)
    if wanted.fields:
        text += b" (%b)" % b" ".join(atom_or_string(name) for name in wanted.fields)
    return text


def search_result(*words: bytes) -> bytes:
    """mailbox-data = "SEARCH" *(SP nz-number) [SP search-sort-mod-seq]"""
    return b" ".join([b"* SEARCH", *filter(None, words)]) + b"\r\n"


def search_numbers(numbers: Iterable[int]) -> bytes:
    """nz-number *(SP nz-number): a page of what is found."""
    return b" ".join([b"%d" % number for number in numbers])


def listed(
    kind: bytes, attributes: Sequence[str], separator: str, name: str, *, utf8: bool = False, extended: bytes = b""
) -> bytes:
    """mailbox-list = "(" [mbx-list-flags] ")" SP DQUOTE QUOTED-CHAR DQUOTE SP mailbox [SP mbox-list-extended]"""
    flags = " ".join(attributes).encode()
    more = b" " + extended if extended else b""
    return b'* %b (%b) "%b" %b%b\r\n' % (kind, flags, separator.encode(), mailbox(name, utf8=utf8), more)


def uid_set(uids: Sequence[int]) -> str:
    """UIDs in the order given, runs as ranges (RFC 4315 section 3)."""
    return ",".join(str(low) if low == high else f"{low}:{high}" for low, high in runs_of(uids))


def runs_of(numbers: Sequence[int]) -> list[list[int]]:
    """The first and the last of each run of neighbours, in the order given."""
    runs: list[list[int]] = []
    for number in numbers:
        if runs and number == runs[-1][1] + 1:
            runs[-1][1] = number
        else:
            runs.append([number, number])
    return runs
