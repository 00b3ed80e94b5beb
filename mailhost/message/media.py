"""Content-Type, Content-Disposition and the other fields that describe a part (RFC 2045, RFC 2183, RFC 3282)."""

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

from mailhost.message.budget import Budget, Limits, budget
from mailhost.message.lexical import unescape, unfold, without_comments
from mailhost.message.quoting import NIL, listed, nstring, string

Fields = dict[bytes, bytes]
"""The first field of each name, lower-case, with its raw value."""
Parameters = list[tuple[bytes, bytes]]

_TOKEN = rb'[^\s;/="(),]++'
_TYPE = re.compile(rb"\s*+(" + _TOKEN + rb")\s*+/\s*+(" + _TOKEN + rb")")
_WORD = re.compile(rb"\s*+(" + _TOKEN + rb")")
_PARAMETER = re.compile(
    rb';\s*+([^\s;="]++)\s*+=\s*+(?:"((?:[^"\\]++|\\.|\\\Z)*)"?|([^;]*+))',
    re.DOTALL,
)


@dataclass(frozen=True, slots=True)
class Media:
    """A media type in upper case, with its parameters as they came (RFC 2231 pieces stay pieces)."""

    main: bytes
    sub: bytes
    parameters: Parameters

    @property
    def is_message(self) -> bool:
        """message/rfc822; what else is under message/ is not a message as IMAP sees it."""
        return self.main == b"MESSAGE" and self.sub == b"RFC822"

    @property
    def boundary(self) -> bytes:
        """RFC 2046 section 5.1.1: it never ends with a blank."""
        given = dict(reversed(self.parameters))
        return (given.get(b"BOUNDARY") or _continued(given, b"BOUNDARY")).rstrip()


def _continued(given: dict[bytes, bytes], name: bytes) -> bytes:
    """A value that was cut into pieces (RFC 2231 section 3)."""
    pieces: list[bytes] = []
    while (piece := given.get(b"%b*%d" % (name, len(pieces)))) is not None:
        pieces.append(piece)
    return b"".join(pieces)


PLAIN_TEXT = Media(b"TEXT", b"PLAIN", [(b"CHARSET", b"us-ascii")])
"""What a part is that says nothing (RFC 2045 section 5.2)."""
EMBEDDED_MESSAGE = Media(b"MESSAGE", b"RFC822", [])
"""What a part of a digest is that says nothing (RFC 2046 section 5.1.5)."""
OPAQUE = Media(b"APPLICATION", b"OCTET-STREAM", [])


def media_of(fields: Fields, default: Media, budget: Budget) -> Media:
    value = fields.get(b"content-type")
    if value is None:
        return default
    value = without_comments(unfold(value))
    kind = _TYPE.match(value)
    if kind is None:
        return Media(b"TEXT", b"PLAIN", parameters_of(value, budget) or PLAIN_TEXT.parameters)
    return Media(kind[1].upper(), kind[2].upper(), parameters_of(value, budget))


def parameters_of(value: bytes, budget: Budget) -> Parameters:
    """*(";" attribute "=" value): names in upper case, values without their quotes."""
    if b";" not in value or budget.parameters <= 0:
        return []
    found: Parameters = []
    for match in _PARAMETER.finditer(value):
        name, quoted, bare = match.groups()
        found.append((name.upper(), unescape(quoted) if bare is None else bare.rstrip()))
        if len(found) >= budget.parameters:
            break
    budget.parameters -= len(found)
    return found


def written_parameters(parameters: Parameters) -> bytes:
    return listed(b"%b %b" % (string(name), string(value)) for name, value in parameters)


class Leaf(NamedTuple):
    """What the fields of a part without parts say of it, but for its size and lines."""

    is_text: bool
    basic: bytes
    extension: bytes
    parameters: int
    """How many were read."""


_DESCRIBING = tuple(
    b"content-" + name for name in b"type transfer-encoding id description md5 disposition language location".split()
)
MOST_USUAL_OCTETS = 2_048
"""Of the header of a part that is remembered, and so of its parameters."""
_MOST_PARAMETERS = MOST_USUAL_OCTETS // len(b";a=")
_REMEMBERED = 256


def usual_leaf(fields: Fields, budget: Budget) -> Leaf | None:
    """A part like many others, described by heart: nearly all texts say the same of themselves. None for multiparts and messages."""
    if budget.parameters < _MOST_PARAMETERS:
        return None
    leaf = _leaf_of(*map(fields.get, _DESCRIBING))
    if leaf is not None:
        budget.parameters -= leaf.parameters
    return leaf


@lru_cache(_REMEMBERED)
def _leaf_of(*values: bytes | None) -> Leaf | None:
    fields = {name: value for name, value in zip(_DESCRIBING, values, strict=True) if value is not None}
    left = budget(Limits(parameters=_MOST_PARAMETERS))
    media = media_of(fields, PLAIN_TEXT, left)
    if media.main == b"MULTIPART" or media.is_message:
        return None
    basic, extension = basic_fields(media, fields), leaf_extension(fields, left)
    return Leaf(media.main == b"TEXT", basic, extension, _MOST_PARAMETERS - left.parameters)


def basic_fields(media: Media, fields: Fields) -> bytes:
    """media-basic SP body-fields without the size (RFC 3501 section 9)."""
    return b"%b %b %b %b %b %b" % (
        string(media.main),
        string(media.sub),
        written_parameters(media.parameters),
        _plain(fields, b"content-id"),
        _plain(fields, b"content-description"),
        string(encoding_of(fields)),
    )


def leaf_extension(fields: Fields, budget: Budget) -> bytes:
    """MD5, then what every part has."""
    return b"%b %b" % (_plain(fields, b"content-md5"), common_extension(fields, budget))


def common_extension(fields: Fields, budget: Budget) -> bytes:
    """Disposition, language and location (RFC 3501 section 7.4.2)."""
    return b"%b %b %b" % (_disposition(fields, budget), _language(fields), _plain(fields, b"content-location"))


def _plain(fields: Fields, name: bytes) -> bytes:
    value = fields.get(name)
    return nstring(unfold(value) or None) if value else NIL


def encoding_of(fields: Fields) -> bytes:
    """Content-Transfer-Encoding in upper case (RFC 2045 section 6.1)."""
    value = fields.get(b"content-transfer-encoding")
    word = _WORD.match(without_comments(unfold(value))) if value else None
    return word[1].upper() if word else b"7BIT"


def _disposition(fields: Fields, budget: Budget) -> bytes:
    value = fields.get(b"content-disposition")
    if value is None:
        return NIL
    value = without_comments(unfold(value))
    word = _WORD.match(value)
    if word is None:
        return NIL
    return b"(%b %b)" % (string(word[1].upper()), written_parameters(parameters_of(value, budget)))


def _language(fields: Fields) -> bytes:
    value = fields.get(b"content-language")
    if value is None:
        return NIL
    tags = [tag.strip() for tag in without_comments(unfold(value)).split(b",")]
    return listed(string(tag) for tag in tags if tag)
