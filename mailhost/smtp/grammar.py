"""The grammar of SMTP commands (RFC 5321 section 4.1.2): octets to values."""

import re
from collections.abc import Callable

from mailhost.conversation.command import SyntaxProblem
from mailhost.message.address import Address, AddressProblem, parse_address

LONGEST_PATH = 256
"""Octets, punctuation included (RFC 5321 section 4.5.3.1.3); three more for what clients write around it."""

_WORD = re.compile(rb"[^ \t]+")
_KEYWORD = re.compile(rb"[A-Za-z0-9][A-Za-z0-9-]*")
_VALUE = re.compile(rb"[!-<>-~\x80-\xff]+")
_BRACKETED = re.compile(rb'<((?:[^">]++|"[^"\\]*+(?:\\.[^"\\]*+)*")*)>')
_XTEXT = re.compile(r"(?:[!-*,-<>-~]|\+[0-9A-F]{2})+")
_HEXCHAR = re.compile(r"\+([0-9A-F]{2})")
_UTF8_ADDRESS = re.compile(r"(?:[!-*,-<>-\[\]-~]|[^\x00-\x7f]|\\x\{[0-9A-F]{2,6}\})+")
_EMBEDDED = re.compile(r"\\x\{([0-9A-F]+)\}")
_WRITTEN_AS_NUMBERS = frozenset({0x20, 0x2B, 0x3D, 0x5C})
_ATOM = re.compile(r"[A-Za-z0-9!#$%&'*+\-/=?^_`{|}~]+")
_HOST = re.compile(rb"[!#-'*+\-./0-9:=?A-Z^_`a-z{|}~\x80-\xff]+|\[[0-9A-Za-z.:%-]+\]")
"""What can stand in Received as it is."""


class Reader:
    """Reads the arguments of one command line from left to right."""

    def __init__(self, line: bytes) -> None:
        self._line = line
        self._at = 0
        self.path_is_ascii = True
        """Whether the path that was read needs no SMTPUTF8."""

    def word(self) -> bytes:
        """A run of anything but spaces, with the spaces before it skipped: clients write two where one belongs."""
        self._spaces()
        found = _WORD.match(self._line, self._at)
        if found is None:
            raise SyntaxProblem("an argument is missing")
        self._at = found.end()
        return found[0]

    def optional_word(self) -> bytes | None:
        self._spaces()
        return None if self.at_end else self.word()

    def rest(self) -> bytes:
        self._spaces()
        rest, self._at = self._line[self._at :], len(self._line)
        return rest

    def end(self) -> None:
        """Nothing but spaces may follow."""
        self._spaces()
        if not self.at_end:
            raise SyntaxProblem("nothing may follow here")

    @property
    def at_end(self) -> bool:
        return self._at >= len(self._line)

    def host(self) -> str:
        """Domain / address-literal, as EHLO gives it; devices call themselves what their owners do, in one word."""
        word = self.word()
        if not _HOST.fullmatch(word) or len(word) > 255:
            raise SyntaxProblem("a domain or an address literal is expected")
        return word.decode("utf-8", "replace")

    def reverse_path(self) -> Address | None:
        """Reverse-path = Path / "<>"; the null one is None."""
        self._literal(b"FROM:")
        return self._path(lambda text: _mailbox(text) if text else None)

    def forward_path(self) -> Address:
        """Forward-path = Path, or "<Postmaster>" without a domain (RFC 5321 section 4.5.1)."""
        self._literal(b"TO:")
        path = self._path(lambda text: _mailbox(text, allow_postmaster=True))
        assert path is not None
        return path

    def parameters(self) -> dict[str, str]:
        """Mail-parameters = esmtp-param *(SP esmtp-param); esmtp-param = esmtp-keyword ["=" esmtp-value]"""
        found: dict[str, str] = {}
        self._spaces()
        while not self.at_end:
            keyword, equals, value = self.word().partition(b"=")
            name = keyword.decode("ascii", "replace").upper()
            if not _KEYWORD.fullmatch(keyword):
                raise SyntaxProblem("a parameter is KEYWORD or KEYWORD=VALUE")
            if equals and not _VALUE.fullmatch(value):
                raise SyntaxProblem(f"{name[:40]}: a parameter is KEYWORD or KEYWORD=VALUE")
            if name in found:
                raise SyntaxProblem(f"{name[:40]} is given twice")
            found[name] = value.decode("utf-8", "replace")
            self._spaces()
        return found

    def _literal(self, text: bytes) -> None:
        self._spaces()
        if self._line[self._at : self._at + len(text)].upper() != text:
            raise SyntaxProblem(f"{text.decode()}<address> is expected")
        self._at += len(text)
        self._spaces()  # Outlook writes a space here

    def _path(self, read: Callable[[bytes], Address | None]) -> Address | None:
        text = self._bracketed() if self._line[self._at : self._at + 1] == b"<" else self.word()
        self.path_is_ascii = text.isascii()
        if len(text) > LONGEST_PATH:
            raise SyntaxProblem("the path is too long")
        try:
            address = read(text)
        except AddressProblem as problem:
            raise SyntaxProblem(str(problem)) from None
        if not self.at_end and self._line[self._at : self._at + 1] not in b" \t":
            raise SyntaxProblem("a space is expected after the path")
        return address

    def _bracketed(self) -> bytes:
        """What stands between < and its >, quoted strings skipped."""
        found = _BRACKETED.match(self._line, self._at, self._at + LONGEST_PATH + 2)
        if found is None:
            raise SyntaxProblem("the path does not end with >")
        self._at = found.end()
        return found[1]

    def _spaces(self) -> None:
        while self._line[self._at : self._at + 1] in (b" ", b"\t"):
            self._at += 1


def _mailbox(text: bytes, *, allow_postmaster: bool = False) -> Address:
    """Local parts beyond 64 octets are real: senders write the recipient, a list or a whole address into theirs (VERP, SRS)."""
    return parse_address(text, allow_postmaster=allow_postmaster, longest_local_part=LONGEST_PATH)


def number(text: str, name: str, largest: int) -> int:
    """A parameter that is a number. Raises `SyntaxProblem`."""
    if not (text.isascii() and text.isdigit()) or len(text) > 20 or int(text) > largest:
        raise SyntaxProblem(f"{name} wants a number")
    return int(text)


def is_xtext(value: str) -> bool:
    """Xtext = *( xchar / hexchar ), as a parameter carries an address (RFC 3461 section 4)."""
    return _XTEXT.fullmatch(value) is not None


def decoded_xtext(value: str) -> str | None:
    """What xtext stands for: printable ASCII (RFC 3461 sections 4.2 and 4.4). None where it is none."""
    if not is_xtext(value):
        return None
    text = _HEXCHAR.sub(lambda found: chr(int(found[1], 16)), value)
    return text if text.isascii() and text.isprintable() else None


def decoded_utf8_address(value: str) -> str | None:
    """Utf-8-addr-xtext / utf-8-addr-unitext, by its meaning (RFC 6533 section 3). None where it is neither."""
    points = [int(digits, 16) for digits in _EMBEDDED.findall(value)]
    if not _UTF8_ADDRESS.fullmatch(value) or not all(map(_is_embedded, points)):
        return None
    text = _EMBEDDED.sub(lambda found: chr(int(found[1], 16)), value)
    return text if text.isprintable() else None


def _is_embedded(point: int) -> bool:
    """HEXPOINT: what an address may not show as it is."""
    return point in _WRITTEN_AS_NUMBERS or (0x80 <= point <= 0x10FFFF and not 0xD800 <= point <= 0xDFFF)


def is_atom(text: str) -> bool:
    """Atom = 1*atext"""
    return _ATOM.fullmatch(text) is not None
