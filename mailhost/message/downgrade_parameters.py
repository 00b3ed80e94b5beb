"""Content-Type and Content-Disposition in ASCII: parameters as RFC 2231 has them (RFC 6857 section 3.1.4).

A file's name is told twice, as many clients read one way only: by RFC 2231, and as `name` in encoded words.
"""

import re
from collections import defaultdict

from mailhost.message.encoded_words import encoded, text_of
from mailhost.message.lexical import unescape, without_comments

LONGEST_SECTION = 54
"""Octets of a value on one line."""

_PARAMETER = re.compile(
    rb';\s*+([^\s;="]++)\s*+=\s*+("(?:[^"\\]++|\\.|\\\Z)*"?|[^;]*+)',
    re.DOTALL,
)
_SECTION = re.compile(rb"(.+)\*(\d{1,4})", re.DOTALL)
_ATTRIBUTE = frozenset(b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789!#$&+-.^_`{|}~")
_ESCAPED = [chr(octet) if octet in _ATTRIBUTE else f"%{octet:02X}" for octet in range(256)]


def parameter_tokens(value: bytes, room: int, name: str = "") -> list[bytes]:
    """The value for `folded`; `name` is the file's, for a Content-Type that does not tell it."""
    value = without_comments(value)
    head = value.partition(b";")[0].strip()
    tokens = [b" " + head]
    sections: dict[bytes, dict[int, bytes]] = defaultdict(dict)
    given = [(found[1], found[2].strip()) for found in _PARAMETER.finditer(value, len(value.partition(b";")[0]))]
    for attribute, written in given:
        if section := _SECTION.fullmatch(attribute):
            sections[section[1].lower()][int(section[2])] = _meaning(written)
    in_sections = {base for base, pieces in sections.items() if not all(map(bytes.isascii, pieces.values()))}
    for attribute, written in given:
        section = _SECTION.fullmatch(attribute)
        if section and section[1].lower() in in_sections:
            pieces = sections.pop(section[1].lower(), {})
            if pieces:
                _add(tokens, _told(section[1], text_of(b"".join(piece for _, piece in sorted(pieces.items()))), room))
        elif attribute.isascii():
            _add(tokens, _parameter(attribute, written, room))
    if name and not any(attribute.lower().partition(b"*")[0] == b"name" for attribute, _ in given):
        _add(tokens, _told(b"name", name, room))
    return tokens


def file_name(value: bytes) -> str:
    """What a Content-Disposition calls the file, in octets that are not ASCII; else nothing."""
    for found in _PARAMETER.finditer(without_comments(value)):
        if found[1].lower() == b"filename" and not found[2].isascii():
            return text_of(_meaning(found[2].strip()))
    return ""


def _add(tokens: list[bytes], more: list[bytes]) -> None:
    tokens[-1] += b";"
    tokens += more


def _meaning(written: bytes) -> bytes:
    return unescape(written[1:].removesuffix(b'"')) if written.startswith(b'"') else written


def _parameter(attribute: bytes, written: bytes, room: int) -> list[bytes]:
    if written.isascii():
        return [b" %b=%b" % (attribute, written)]
    if attribute.endswith(b"*"):  # extended already, but not escaped
        return [b" %b=%b" % (attribute, _escaped_rest(_meaning(written)))]
    return _told(attribute, text_of(_meaning(written)), room)


def _escaped_rest(octets: bytes) -> bytes:
    return b"".join([b"%%%02X" % octet if octet >= 0x80 else bytes([octet]) for octet in octets])


def _told(attribute: bytes, text: str, room: int) -> list[bytes]:
    """By RFC 2231; a `name` then also in encoded words, which is no standard: where both are read, the first holds."""
    tokens = _extended(attribute, text)
    if attribute.lower() == b"name":
        tokens[-1] += b";"
        first, *others = encoded(text, room - len(b'name="'))
        tokens += [b' name="' + first, *(b" " + each for each in others)]
        tokens[-1] += b'"'
    return tokens


def _extended(attribute: bytes, text: str) -> list[bytes]:
    """Attribute "*=" charset "'" language "'" value, in sections where it is long (RFC 2231 sections 3 and 4)."""
    sections = _sections(text)
    if len(sections) == 1:
        return [b" %b*=UTF-8''%b" % (attribute, sections[0])]
    tokens = [
        b" %b*%d*=%b%b;" % (attribute, number, b"" if number else b"UTF-8''", section)
        for number, section in enumerate(sections)
    ]
    tokens[-1] = tokens[-1].removesuffix(b";")
    return tokens


def _sections(text: str) -> list[bytes]:
    """Whole characters in each."""
    sections, section = [], ""
    for character in text:
        escaped = "".join([_ESCAPED[octet] for octet in character.encode("utf-8", "replace")])
        if section and len(section) + len(escaped) > LONGEST_SECTION:
            sections.append(section)
            section = ""
        section += escaped
    return [each.encode("ascii") for each in (*sections, section)]
