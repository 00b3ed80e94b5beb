"""Reading commands: one method per rule of RFC 3501 section 9, its ABNF as docstring. Octets in, values out.

Literals are spliced in: the reader has all lines of a command as one text, in which each `{n}` stands where it stood, and the
literals beside it. So a literal costs nothing until its place is reached.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any, TypeVar

from mailhost.conversation.command import SyntaxProblem
from mailhost.ids import ModSeq
from mailhost.imap import names
from mailhost.imap.values import (
    STAR,
    BodyItem,
    FetchItem,
    FlagList,
    Item,
    Literal,
    MessageData,
    MessageSet,
    Section,
    Text,
    merged,
)
from mailhost.message.dates import parse_imap_date, parse_imap_date_time
from mailhost.store.values import SYSTEM_FLAGS

T = TypeVar("T")

MOST_RANGES = 10_000
DEEPEST = 50
LONGEST_TAG = 255
LONGEST_KEYWORD = 255
MOST_ITEMS = 1_000

_HEAD = re.compile(rb"([!#$&',\-./0-9:;<=>?@A-Z\[\]^_`a-z|}~]+) +(?:([Uu][Ii][Dd]) +)?([A-Za-z][A-Za-z0-9.\-]*)")
_TAG = re.compile(rb"[!#$&',\-./0-9:;<=>?@A-Z\[\]^_`a-z|}~]+")
_ATOM = re.compile(rb"[!#$&'+,\-./0-9:;<=>?@A-Z\[\]^_`a-z|}~]+")
_ASTRING = re.compile(rb"[!#$&'+,\-./0-9:;<=>?@A-Z\[\]^_`a-z|}~\x80-\xff]+")
_LIST_CHARS = re.compile(rb"[!#$%&'*+,\-./0-9:;<=>?@A-Z\[\]^_`a-z|}~\x80-\xff]+")
_QUOTED = re.compile(rb'"([^"\\\r\n\0]*+(?:\\["\\][^"\\\r\n\0]*+)*)"')
_QUOTED_PAIR = re.compile(rb"\\(.)", re.DOTALL)
_BLANK_END = re.compile(rb" *+\Z")
_LITERAL = re.compile(rb"\{[0-9]{1,20}\+?\}")
_NUMBER = re.compile(rb"[0-9]+")
_SET = re.compile(rb"[0-9*:,]++")
_RANGE = re.compile(rb"([0-9]+|\*)(?::([0-9]+|\*))?")
_SET_BEGINS = b"0123456789*"
_KEYWORD = re.compile(rb"[!#$&'+,\-./0-9:;<=>?@A-Z^_`a-z|}~\[]+")
_WORD = re.compile(rb"[A-Za-z0-9.]+")
_DATE_TIME = re.compile(rb'"[ 0-9A-Za-z:+\-]{25,26}"')
_DATE = re.compile(rb'"?[0-9]{1,2}-[A-Za-z]{3}-[0-9]{4}"?')
_BASE64 = re.compile(rb"[A-Za-z0-9+/=]+")
_SECTION_PART = re.compile(rb"[0-9]+(?:\.[0-9]+)*")
_TEXT_MODE = re.compile(rb"(HEADER\.FIELDS\.NOT|HEADER\.FIELDS|HEADER|TEXT|MIME)", re.IGNORECASE)

FETCH_MACROS: Mapping[bytes, tuple[FetchItem, ...]] = {
    b"ALL": (Item.FLAGS, Item.INTERNALDATE, Item.SIZE, Item.ENVELOPE),
    b"FAST": (Item.FLAGS, Item.INTERNALDATE, Item.SIZE),
    b"FULL": (Item.FLAGS, Item.INTERNALDATE, Item.SIZE, Item.ENVELOPE, Item.BODY),
}
ITEMS: Mapping[bytes, Item] = {each.value: each for each in Item}
OLD_BODY_ITEMS: Mapping[bytes, BodyItem] = {
    b"RFC822": BodyItem(Section(), name=b"RFC822"),
    b"RFC822.HEADER": BodyItem(Section(text=Text.HEADER), peek=True, name=b"RFC822.HEADER"),
    b"RFC822.TEXT": BodyItem(Section(text=Text.TEXT), name=b"RFC822.TEXT"),
    b"RFC822.PEEK": BodyItem(Section(), peek=True, name=b"RFC822"),
    b"RFC822.TEXT.PEEK": BodyItem(Section(text=Text.TEXT), peek=True, name=b"RFC822.TEXT"),
}
"""Those with PEEK are of RFC 1730 section 6.4.5; Outlook sends them still."""
STATUS_ITEMS = frozenset({b"MESSAGES", b"RECENT", b"UIDNEXT", b"UIDVALIDITY", b"UNSEEN"})

Rule = Callable[["Reader"], object]
"""Reads the value that stands behind a word, and the blank before it where there is one."""


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """The words that extensions add to the grammar of the base, each with the rule for what follows it (RFC 4466)."""

    fetch_items: Mapping[bytes, FetchItem] = field(default_factory=dict)
    fetch_modifiers: Mapping[bytes, Rule] = field(default_factory=dict)
    store_modifiers: Mapping[bytes, Rule] = field(default_factory=dict)
    select_parameters: Mapping[bytes, Rule] = field(default_factory=dict)
    search_keys: Mapping[bytes, Callable[[Any], Any]] = field(default_factory=dict)
    """Rules over a `KeyReader`, which answer with a `Key`."""
    status_items: Mapping[bytes, object] = field(default_factory=dict)
    append_data: Mapping[bytes, Callable[["Reader"], MessageData]] = field(default_factory=dict)
    list_selections: Mapping[bytes, Callable[[Any], bool]] = field(default_factory=dict)
    """Which names are listed (RFC 5258 section 3.1): questions to a `hierarchy.Name`."""
    list_returns: Mapping[bytes, Rule] = field(default_factory=dict)
    """What is told of them (RFC 5258 section 3.2): rules that answer with a `list_extended.Return`."""


BASE_ALONE = Vocabulary()


@dataclass(frozen=True, slots=True)
class Head:
    """How a command begins: its tag, its verb in upper case ("UID FETCH" is one), and where its arguments begin."""

    tag: bytes
    verb: str
    end: int
    by_uid: bool


def tag_of(line: bytes) -> bytes | None:
    """Tag = 1*<any ASTRING-CHAR except "+">"""
    found = _TAG.match(line)
    whole = found is not None and line[found.end() : found.end() + 1] in (b" ", b"") and found.end() <= LONGEST_TAG
    return found[0] if found is not None and whole else None


def head(line: bytes) -> Head:
    """Command = tag SP (command-any / command-auth / command-nonauth / command-select)"""
    found = _HEAD.match(line)
    if found is None or line[found.end() : found.end() + 1] not in (b" ", b"") or found.end(1) > LONGEST_TAG:
        raise SyntaxProblem("A tag and a command were expected")
    verb = found[3].upper().decode()
    return Head(found[1], f"UID {verb}" if found[2] else verb, found.end(), bool(found[2]))


class Reader:
    """Reads the arguments of one command, from left to right."""

    __slots__ = ("_at", "_literals", "_text", "announced", "by_uid", "extension_words", "utf8", "vocabulary")

    def __init__(
        self,
        text: bytes,
        literals: Mapping[int, bytes] | None = None,
        *,
        at: int = 0,
        by_uid: bool = False,
        announced: Literal | None = None,
        vocabulary: Vocabulary = BASE_ALONE,
        utf8: bool = False,
    ) -> None:
        self._text = text
        self._literals = literals or {}
        self._at = at
        self.by_uid = by_uid
        self.vocabulary = vocabulary
        self.extension_words: list[bytes] = []
        """The words of extensions that were read: using one may ask for the extension."""
        self.utf8 = utf8
        """Whether names are UTF-8, and not modified UTF-7."""
        self.announced = announced
        """The last literal of a command that streams: its octets are still on their way."""

    # Marks between the arguments.

    def space(self) -> None:
        """SP; more than one is forgiven."""
        start = self._at
        while self._text[self._at : self._at + 1] == b" ":
            self._at += 1
        if self._at == start:
            raise self._problem("a space")

    def end(self) -> None:
        """CRLF, which the line no longer has; blanks before it are forgiven."""
        if not self.at_end():
            raise self._problem("the end of the command")

    def at_end(self) -> bool:
        return _BLANK_END.match(self._text, self._at) is not None

    def accept(self, mark: bytes) -> bool:
        if self._text.startswith(mark, self._at):
            self._at += len(mark)
            return True
        return False

    def follows(self, mark: bytes) -> bool:
        return self._text.startswith(mark, self._at)

    def parenthesised(self, rule: Callable[[], T], most: int = MOST_ITEMS) -> list[T]:
        """List = "(" [rule *(SP rule)] ")";"""
        self.expect(b"(", "a parenthesis")
        values: list[T] = []
        while not self.accept(b")"):
            if values:
                self.space()
            values.append(rule())
            if len(values) > most:
                raise SyntaxProblem(f"More than {most} items in a list")
        return values

    def parameters(self, rules: Mapping[bytes, Rule]) -> dict[bytes, object]:
        """[SP "(" name [SP value] *(SP name [SP value]) ")"] (RFC 4466 sections 2.2, 2.4 and 2.5)"""
        if self.at_end():
            return {}
        self.space()
        return self.modifiers(rules)

    def modifiers(self, rules: Mapping[bytes, Rule]) -> dict[bytes, object]:
        """Modifiers = "(" name [SP value] *(SP name [SP value]) ")" (RFC 4466 sections 2.4 and 2.5)"""
        found: dict[bytes, object] = {}

        def read() -> None:
            name = self.atom().upper()
            if name in found:
                raise SyntaxProblem("A parameter is given twice")
            found[name] = self.added(rules, name, "parameter")(self)

        self.parenthesised(read)
        return found

    def added(self, words: Mapping[bytes, T], word: bytes, kind: str) -> T:
        """What an extension has put under this word."""
        if word not in words:
            raise SyntaxProblem(f"An unknown {kind}")
        self.extension_words.append(word)
        return words[word]

    # Strings.

    def atom(self) -> bytes:
        """Atom = 1*ATOM-CHAR"""
        return self._match(_ATOM, "an atom")

    def word(self) -> bytes:
        """A keyword of the grammar, in upper case."""
        return self._match(_WORD, "a word").upper()

    def astring(self) -> bytes:
        """Astring = 1*ASTRING-CHAR / string"""
        if self.follows(b'"') or self.follows(b"{"):
            return self.string()
        return self._match(_ASTRING, "a string")

    def string(self) -> bytes:
        """String = quoted / literal"""
        if self.follows(b'"'):
            return self.quoted()
        return self.literal()

    def quoted(self) -> bytes:
        """Quoted = DQUOTE *QUOTED-CHAR DQUOTE"""
        found = _QUOTED.match(self._text, self._at)
        if found is None:
            raise self._problem("a quoted string")
        self._at = found.end()
        return _QUOTED_PAIR.sub(rb"\1", found[1]) if b"\\" in found[1] else found[1]

    def literal(self) -> bytes:
        """Literal = "{" number "}" CRLF *CHAR8"""
        octets = self._literals.get(self._at)
        found = _LITERAL.match(self._text, self._at)
        if octets is None or found is None:
            raise self._problem("a string")
        if b"\0" in octets:
            raise SyntaxProblem("A literal must not hold NUL")
        self._at = found.end()
        return octets

    def last_literal(self) -> Literal:
        """The literal that ends the command and is still on its way."""
        found = _LITERAL.match(self._text, self._at)
        if found is None or self.announced is None or found.end() != len(self._text):
            raise self._problem("a literal")
        self._at = found.end()
        return self.announced

    def message_data(self) -> MessageData:
        """append-data = literal / append-data-ext (RFC 4466 section 2.7)"""
        if self.follows(b"{"):
            return MessageData(self.last_literal())
        word = self.word()
        self.space()
        return self.added(self.vocabulary.append_data, word, "kind of message")(self)

    def nil_or_string(self) -> bytes | None:
        """Nstring = string / nil"""
        return None if self.accept_word(b"NIL") else self.string()

    def base64(self) -> bytes:
        """Base64 = *(4base64-char) [base64-terminal]; "=" alone is an empty response (RFC 4959 section 3)."""
        return self._match(_BASE64, "base64")

    # Mailboxes.

    def mailbox(self) -> str:
        """Mailbox = "INBOX" / astring, in modified UTF-7 or UTF-8"""
        return self._name(self.astring())

    def list_mailbox(self) -> str:
        """list-mailbox = 1*list-char / string"""
        if self.follows(b'"') or self.follows(b"{"):
            return self._name(self.string())
        return self._name(self._match(_LIST_CHARS, "a mailbox pattern"))

    def _name(self, octets: bytes) -> str:
        try:
            return names.read(octets, utf8=self.utf8)
        except ValueError as problem:
            raise SyntaxProblem(f"Not a mailbox name: {problem}") from None

    def status_item(self) -> bytes:
        """status-att = "MESSAGES" / "RECENT" / "UIDNEXT" / "UIDVALIDITY" / "UNSEEN";"""
        word = self.word()
        if word not in STATUS_ITEMS:
            self.added(self.vocabulary.status_items, word, "STATUS item")
        return word

    # Numbers and sets.

    def number(self) -> int:
        """Number = 1*DIGIT ; (0 <= n < 4,294,967,296)"""
        return self._in_range(self._match(_NUMBER, "a number"))

    def nz_number(self) -> int:
        """nz-number = digit-nz *DIGIT"""
        number = self.number()
        if not number:
            raise SyntaxProblem("Zero is no number here")
        return number

    def mod_sequence(self) -> ModSeq:
        """mod-sequence-valzer = 1*DIGIT ; (0 <= n <= 9,223,372,036,854,775,807) (RFC 7162 section 7)"""
        digits = self._match(_NUMBER, "a mod-sequence")
        if len(digits) > 19 or (number := int(digits)) >= 1 << 63:
            raise SyntaxProblem("A mod-sequence is too large")
        return ModSeq(number)

    def message_set(self) -> MessageSet:
        """sequence-set = (seq-number / seq-range) *("," sequence-set)

        Numbers that stand alone are read all at once: a client that has sorted 10,000 messages names each of them.
        """
        members = self._match(_SET, "a message set").split(b",")
        if len(members) > MOST_RANGES:
            raise SyntaxProblem(f"More than {MOST_RANGES} ranges in a set")
        numbers = self._numbers([each for each in members if each.isdigit()])
        ranges = [*zip(numbers, numbers, strict=True), *(self._range(each) for each in members if not each.isdigit())]
        return MessageSet(tuple(merged(ranges)), by_uid=self.by_uid)

    def at_number(self) -> bool:
        """Whether a message set follows."""
        return self._text[self._at : self._at + 1] in _SET_BEGINS and self._at < len(self._text)

    def numbers(self) -> MessageSet:
        """A sequence-set of message numbers, whatever the command counts."""
        return MessageSet(self.message_set().ranges)

    def _numbers(self, texts: Sequence[bytes]) -> list[int]:
        """What `_seq_number` makes of each, in a tenth of its time."""
        if not texts:
            return []
        self._in_range(max(texts, key=len))
        numbers = list(map(int, texts))
        for each in (min(numbers), max(numbers)):
            self._seq_number(b"%d" % each)
        return numbers

    def _range(self, text: bytes) -> tuple[int, int]:
        """seq-range = seq-number ":" seq-number"""
        found = _RANGE.fullmatch(text)
        if found is None:
            raise SyntaxProblem("Not a message set")
        first = self._seq_number(found[1])
        last = first if found[2] is None else self._seq_number(found[2])
        return min(first, last), max(first, last)

    def _seq_number(self, text: bytes) -> int:
        """seq-number = nz-number / "*";"""
        number = STAR if text == b"*" else self._in_range(text)
        if not number:
            raise SyntaxProblem("Messages count from 1")
        return number

    def _in_range(self, digits: bytes) -> int:
        if len(digits) > 10 or (number := int(digits)) >= 1 << 32:
            raise SyntaxProblem("A number is too large")
        return number

    # Flags.

    def flag_list(self) -> FlagList:
        """flag-list = "(" [flag *(SP flag)] ")";"""
        return _flag_list(self.parenthesised(self.flag))

    def flags(self) -> FlagList:
        """flag-list / (flag *(SP flag))"""
        if self.follows(b"("):
            return self.flag_list()
        names = [self.flag()]
        while not self.at_end():
            self.space()
            names.append(self.flag())
            if len(names) > MOST_ITEMS:
                raise SyntaxProblem(f"More than {MOST_ITEMS} flags")
        return _flag_list(names)

    def flag(self) -> str:
        r"""Flag = "\Answered" / "\Flagged" / "\Deleted" / "\Seen" / "\Draft" / flag-keyword / flag-extension"""
        if self.accept(b"\\"):
            name = "\\" + self.atom().decode()
            if name.lower() not in _SYSTEM and name.lower() != RECENT:
                raise SyntaxProblem("An unknown system flag")
            return name
        return self.keyword()

    def keyword(self) -> str:
        """flag-keyword = atom"""
        name = self._match(_KEYWORD, "a flag")
        if len(name) > LONGEST_KEYWORD:
            raise SyntaxProblem("A keyword is too long")
        return name.decode()

    # Dates.

    def date_time(self) -> int:
        """date-time = DQUOTE date-day-fixed "-" date-month "-" date-year SP time SP zone DQUOTE; in milliseconds since 1970. A day of one digit needs no blank."""
        moment = parse_imap_date_time(self._match(_DATE_TIME, "a date and time"))
        if moment is None:
            raise SyntaxProblem("There is no such date and time")
        return moment

    def date(self) -> date:
        """Date = date-text / DQUOTE date-text DQUOTE"""
        day = parse_imap_date(self._match(_DATE, "a date"))
        if day is None:
            raise SyntaxProblem("There is no such date")
        return day

    # FETCH.

    def fetch_items(self) -> tuple[FetchItem, ...]:
        """("ALL" / "FULL" / "FAST" / fetch-att / "(" fetch-att *(SP fetch-att) ")")"""
        if self.follows(b"("):
            items = self.parenthesised(self.fetch_item)
            if not items:
                raise SyntaxProblem("FETCH of nothing")
            return tuple(dict.fromkeys(items))
        start = self._at
        macro = FETCH_MACROS.get(self.word())
        if macro is not None:
            return macro
        self._at = start
        return (self.fetch_item(),)

    def fetch_item(self) -> FetchItem:
        """fetch-att = "ENVELOPE" / "FLAGS" / ... / "BODY" section ["<" number "." nz-number ">"] / "BODY.PEEK" section ..."""
        word = self.word()
        if word in (b"BODY", b"BODY.PEEK") and self.follows(b"["):
            return self._body_item(peek=word == b"BODY.PEEK")
        if word in OLD_BODY_ITEMS:
            return OLD_BODY_ITEMS[word]
        if word in ITEMS:
            return ITEMS[word]
        return self.added(self.vocabulary.fetch_items, word, "FETCH item")

    def _body_item(self, *, peek: bool) -> BodyItem:
        return BodyItem(self.section(), peek, self._partial())

    def _partial(self) -> tuple[int, int] | None:
        """Partial = "<" number "." nz-number ">";"""
        if not self.accept(b"<"):
            return None
        start = self.number()
        self.expect(b".", "a dot")
        count = self.nz_number()
        self.expect(b">", "the end of a partial")
        return start, count

    def section(self) -> Section:
        """Section = "[" [section-spec] "]";"""
        self.expect(b"[", "a section")
        part = self._section_part()
        text, fields = Text.ALL, tuple[bytes, ...]()
        if not part or self.accept(b"."):
            text, fields = self._section_text(part)
        self.expect(b"]", "the end of a section")
        return Section(part, text, fields)

    def _section_part(self) -> tuple[int, ...]:
        """section-part = nz-number *("." nz-number)"""
        found = _SECTION_PART.match(self._text, self._at)
        if found is None:
            return ()
        self._at = found.end()
        numbers = tuple(self._in_range(each) for each in found[0].split(b"."))
        if len(numbers) > DEEPEST or not all(numbers):
            raise SyntaxProblem("No such part can be")
        return numbers

    def _section_text(self, part: tuple[int, ...]) -> tuple[Text, tuple[bytes, ...]]:
        """section-text = section-msgtext / "MIME";"""
        found = _TEXT_MODE.match(self._text, self._at)
        if found is None:
            if part:
                raise self._problem("what of the part")
            return Text.ALL, ()
        self._at = found.end()
        text = Text(found[0].upper())
        if text is Text.MIME and not part:
            raise SyntaxProblem("MIME is asked of a part")
        return text, self._header_list() if text in (Text.FIELDS, Text.FIELDS_NOT) else ()

    def _header_list(self) -> tuple[bytes, ...]:
        """header-list = "(" header-fld-name *(SP header-fld-name) ")";"""
        self.space()
        names = self.parenthesised(self.astring)
        if not names:
            raise SyntaxProblem("A list of fields is empty")
        return tuple(names)

    # Below.

    def _match(self, rule: "re.Pattern[bytes]", name: str) -> bytes:
        found = rule.match(self._text, self._at)
        if found is None:
            raise self._problem(name)
        self._at = found.end()
        return found[0]

    def accept_word(self, word: bytes) -> bool:
        end = self._at + len(word)
        if self._text[self._at : end].upper() != word or _ATOM.match(self._text, end):
            return False
        self._at = end
        return True

    def expect(self, mark: bytes, name: str) -> None:
        if not self.accept(mark):
            raise self._problem(name)

    def _problem(self, expected: str) -> SyntaxProblem:
        return SyntaxProblem(f"Expected {expected} at octet {self._at + 1}")


RECENT = "\\recent"
"""Nobody may set it; clients that copy a message's flags with APPEND send it all the same, and it is left out."""
_SYSTEM = {name.lower(): int(flag) for name, flag in SYSTEM_FLAGS.items()}


def _flag_list(names: list[str]) -> FlagList:
    system = 0
    keywords: dict[str, str] = {}
    for name in names:
        if name.lower() in _SYSTEM:
            system |= _SYSTEM[name.lower()]
        elif name.lower() != RECENT:
            keywords.setdefault(name.lower(), name)
    return FlagList(system, tuple(keywords.values()))


def no_arguments(reader: Reader) -> None:
    """For commands that are one word."""
    reader.end()
