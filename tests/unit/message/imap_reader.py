"""A small strict reader of what IMAP puts in parentheses (RFC 3501 section 9): it fails on all that a client could fail on."""

import re
from dataclasses import dataclass
from typing import Any

QUOTED = re.compile(rb'"((?:[\x01-\x09\x0b\x0c\x0e-!#-\[\]-\x7f]|\\["\\])*)"')
LITERAL = re.compile(rb"\{(0|[1-9]\d*)\}\r\n")
NUMBER = re.compile(rb"0|[1-9]\d*")

Value = Any
"""None, int, bytes or a list of these: a test knows which."""


class NotImapError(Exception):
    pass


@dataclass
class _Reader:
    text: bytes
    at: int = 0

    def value(self) -> Value:
        first = self.text[self.at : self.at + 1]
        if first == b"(":
            return self._list()
        if first == b'"':
            return self._quoted()
        if first == b"{":
            return self._literal()
        return self._nil_or_number()

    def _list(self) -> list[Value]:
        self.at += 1
        values = [self.value()]  # no list of IMAP is empty here
        while (mark := self.text[self.at : self.at + 1]) != b")":
            if mark == b" ":
                self.at += 1
            elif not (isinstance(values[-1], list) and mark == b"("):  # only lists may touch
                raise NotImapError(self.text[self.at :])
            values.append(self.value())
        self.at += 1
        return values

    def _quoted(self) -> bytes:
        found = QUOTED.match(self.text, self.at)
        if not found:
            raise NotImapError(self.text[self.at :])
        self.at = found.end()
        return re.sub(rb"\\(.)", rb"\1", found[1], flags=re.DOTALL)

    def _literal(self) -> bytes:
        found = LITERAL.match(self.text, self.at)
        if not found:
            raise NotImapError(self.text[self.at :])
        self.at = found.end() + int(found[1])
        text = self.text[found.end() : self.at]
        if len(text) != int(found[1]) or b"\0" in text:
            raise NotImapError(text)
        return text

    def _nil_or_number(self) -> int | None:
        if self.text.startswith(b"NIL", self.at):
            self.at += 3
            return None
        found = NUMBER.match(self.text, self.at)
        if not found:
            raise NotImapError(self.text[self.at :])
        self.at = found.end()
        return int(found[0])


def read(text: bytes) -> list[Value]:
    """The one list that `text` is, and nothing after it."""
    reader = _Reader(text)
    value = reader.value()
    if reader.at != len(text) or not isinstance(value, list):
        raise NotImapError(text[reader.at :])
    return value


def check_envelope(value: Value) -> None:
    assert isinstance(value, list)
    assert len(value) == 10
    for text in (*value[:2], *value[8:]):
        assert text is None or isinstance(text, bytes)
    for addresses in value[2:8]:
        assert addresses is None or _are_addresses(addresses)


def _are_addresses(value: Value) -> bool:
    assert isinstance(value, list)
    in_group = False
    for address in value:
        assert isinstance(address, list)
        name, route, mailbox, host = address
        assert all(word is None or isinstance(word, bytes) for word in address)
        if host is None:  # a group begins or ends, in turns
            assert (mailbox is None) == in_group
            assert name is route is None
            in_group = not in_group
        else:
            assert mailbox is not None
    return not in_group


def _is_nstring(value: Value) -> bool:
    return value is None or isinstance(value, bytes)


def _are_parameters(value: Value) -> bool:
    return value is None or (
        isinstance(value, list) and len(value) % 2 == 0 and all(isinstance(word, bytes) for word in value)
    )


def check_body(value: Value, *, extended: bool) -> int:
    """BODY or, extended, BODYSTRUCTURE, by the grammar; the number of its parts, itself included."""
    assert isinstance(value, list)
    if isinstance(value[0], list):
        return _check_multipart(value, extended=extended)
    main, sub, parameters, content_id, description, encoding, octets, *rest = value
    assert isinstance(main, bytes)
    assert isinstance(sub, bytes)
    assert isinstance(encoding, bytes)
    assert isinstance(octets, int)
    assert _are_parameters(parameters)
    assert _is_nstring(content_id)
    assert _is_nstring(description)
    count = 1
    if (main, sub) == (b"MESSAGE", b"RFC822"):
        check_envelope(rest[0])
        count += check_body(rest[1], extended=extended)
        rest = rest[2:]
    if main == b"TEXT" or (main, sub) == (b"MESSAGE", b"RFC822"):
        assert isinstance(rest[0], int)
        rest = rest[1:]
    if extended:
        assert _is_nstring(rest[0])
        rest = rest[1:]
    _check_extension(rest, extended=extended)
    return count


def _check_multipart(value: list[Value], *, extended: bool) -> int:
    children = 0
    count = 1
    while isinstance(value[children], list):
        count += check_body(value[children], extended=extended)
        children += 1
    assert isinstance(value[children], bytes)
    rest = value[children + 1 :]
    if extended:
        assert _are_parameters(rest[0])
        rest = rest[1:]
    _check_extension(rest, extended=extended)
    return count


def _check_extension(rest: list[Value], *, extended: bool) -> None:
    if not extended:
        assert rest == []
        return
    disposition, language, location = rest
    if disposition is not None:
        assert isinstance(disposition, list)
        assert isinstance(disposition[0], bytes)
        assert _are_parameters(disposition[1])
        assert len(disposition) == 2
    assert _is_nstring(language) or (isinstance(language, list) and all(isinstance(tag, bytes) for tag in language))
    assert _is_nstring(location)
