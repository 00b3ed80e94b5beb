"""The words of structured header fields (RFC 5322 section 3.2): quoted strings, comments, folding.

Every pattern here is linear: a run that it has taken is never given back (`*+`).
"""

import re

QUOTED_STRING = re.compile(rb'"((?:[^"\\]++|\\.|\\\Z)*)"?', re.DOTALL)
"""A quoted string; one that is never closed ends with the text."""

_ESCAPED = re.compile(rb"\\(.)", re.DOTALL)
_COMMENT_MARK = re.compile(rb"\\.|[()]", re.DOTALL)
_COMMENT_OR_QUOTED = re.compile(rb'"|(?<![^\s;,"/=)])\(')
"""A parenthesis in the middle of a word is none: senders forget the quotes around `report(1).pdf`."""

_LINE_ENDS = b"\r\n"


def unfold(value: bytes) -> bytes:
    """A field's value on one line, without the blanks around it (RFC 5322 section 2.2.3)."""
    return value.translate(None, _LINE_ENDS).strip()


def unescape(quoted: bytes) -> bytes:
    """What stands in a quoted string or comment, by its meaning."""
    return _ESCAPED.sub(rb"\1", quoted) if b"\\" in quoted else quoted


def comment_end(value: bytes, start: int) -> int:
    """Where the comment ends that is opened at `start`; comments nest."""
    depth = 0
    for mark in _COMMENT_MARK.finditer(value, start):
        match mark[0]:
            case b"(":
                depth += 1
            case b")" if depth == 1:
                return mark.end()
            case b")":
                depth -= 1
    return len(value)


def without_comments(value: bytes) -> bytes:
    """A structured value with a blank for each comment."""
    return _cut_comments(value) if b"(" in value else value


def _cut_comments(value: bytes) -> bytes:
    kept, at = [], 0
    search_from = 0
    while found := _COMMENT_OR_QUOTED.search(value, search_from):
        if found[0] == b'"':
            quoted = QUOTED_STRING.match(value, found.start())
            search_from = quoted.end() if quoted else len(value)
            continue
        kept.append(value[at : found.start()])
        at = search_from = comment_end(value, found.start())
    kept.append(value[at:])
    return b" ".join(kept)
