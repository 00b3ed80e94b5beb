"""Where the octets of a section are in a message as served: prefix and blob together (RFC 3501 section 6.4.5). Pure."""

from mailhost.imap.values import Section, Text
from mailhost.message import parts
from mailhost.message.structure import CACHED_FIELDS
from mailhost.store.values import Located

Extent = tuple[int, int]
"""First octet, and the one after the last."""


def extent(located: Located, section: Section) -> Extent | None:
    """None when the message has no such part."""
    if not section.part:
        return _of_whole(located, section.text)
    if section.text in (Text.ALL, Text.MIME):
        found = parts.part(located.parts, section.part)
    else:
        found = parts.message(located.parts, section.part)
    if found is None:
        return None
    ahead = len(located.prefix)
    if section.text in (Text.ALL, Text.TEXT):
        return ahead + found.body_start, ahead + found.end
    return ahead + found.header_start, ahead + found.body_start


def _of_whole(located: Located, text: Text) -> Extent:
    end = header_end(located)
    match text:
        case Text.ALL:
            return 0, located.size
        case Text.TEXT:
            return end, located.size
        case _:
            return 0, end


def header_end(located: Located) -> int:
    """Our prefix ends with an empty line of its own where the blob begins with no field: then all of the blob is body."""
    if located.prefix and not located.begins_with_field:
        return len(located.prefix)
    return len(located.prefix) + located.header_octets


def cut(start: int, end: int, partial: tuple[int, int] | None) -> Extent:
    """The partial of an extent; beyond its end there is nothing."""
    if partial is None:
        return start, end
    first, most = partial
    return min(start + first, end), min(start + first + most, end)


def asks_for_cached_fields(section: Section) -> bool:
    """Whether the fields asked for are among those kept in the row: no blob is read then."""
    return (
        section.text is Text.FIELDS
        and not section.part
        and all(name.lower() in CACHED_FIELDS for name in section.fields)
    )
