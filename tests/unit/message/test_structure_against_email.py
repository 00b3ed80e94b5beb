"""The scanner and Python's own `email` agree on every well-formed message."""

import datetime as dt
import email
import email.policy
import email.utils
from collections.abc import Iterator
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from mailhost.message.dates import parse_date
from mailhost.message.headers import field_value
from mailhost.message.parts import part
from mailhost.message.structure import scan
from tests.unit.message.imap_reader import Value, read

Draw = st.DrawFn
ATOM = st.text("abcdefgXYZ019!#$%&'*+-/=?^_`{|}~", min_size=1, max_size=8)
TOKEN = st.text("abcdefXYZ019-_.", min_size=1, max_size=8)
HOST = st.text("abcXYZ019-", min_size=1, max_size=8)
PLAIN = st.text([chr(code) for code in range(0x20, 0x7F)], max_size=30)
QUOTABLE = st.text([chr(code) for code in range(0x20, 0x7F) if chr(code) not in '"\\();'], max_size=30).map(str.strip)
BODY_LINE = st.one_of(
    PLAIN.map(str.encode), st.sampled_from([b"", b"--", b"--x", b"From: a@b", b"Content-Type: a/b", b"\xff\xfe"])
)
SUBTYPES = {"text": ["plain", "HTML"], "image": ["png", "x-y.z"], "application": ["octet-stream", "pdf"]}


@st.composite
def parameters(draw: Draw) -> str:
    names = draw(st.lists(st.sampled_from(["charset", "Name", "x-a", "format", "delsp"]), unique=True, max_size=3))
    folds = st.sampled_from(["; ", ";", ";\r\n\t", " ; "])
    values = st.one_of(TOKEN, QUOTABLE.map(lambda text: f'"{text}"'))
    return "".join(f"{draw(folds)}{name}={draw(values)}" for name in names)


@st.composite
def leaf(draw: Draw) -> bytes:
    main = draw(st.sampled_from([*SUBTYPES, ""]))
    head = f"Content-Type: {main}/{draw(st.sampled_from(SUBTYPES[main]))}{draw(parameters())}\r\n" if main else ""
    if draw(st.booleans()):
        head += f"Content-Transfer-Encoding: {draw(st.sampled_from(['7bit', 'BASE64', 'quoted-printable', 'x-y']))}\r\n"
    if draw(st.booleans()):
        head += f"Content-Description:{draw(PLAIN)}\r\n"
    return head.encode() + b"\r\n" + b"\r\n".join(draw(st.lists(BODY_LINE, max_size=5)))


@st.composite
def message_part(draw: Draw, entities: st.SearchStrategy[bytes]) -> bytes:
    return b"Content-Type: message/rfc822\r\n\r\n" + draw(whole(entities))


@st.composite
def in_digest(draw: Draw, entities: st.SearchStrategy[bytes], child: bytes) -> bytes:
    """What says nothing there is a message; other text would be one that is broken."""
    if child.startswith(b"\r\n"):
        return b"\r\n" + draw(whole(entities))
    return child if child.startswith(b"Content-Type") else b"Content-Type: text/plain\r\n" + child


@st.composite
def multipart(draw: Draw, entities: st.SearchStrategy[bytes]) -> bytes:
    subtype = draw(st.sampled_from([b"mixed", b"alternative", b"Related", b"digest"]))
    children = draw(st.lists(entities, min_size=1, max_size=3))
    if subtype == b"digest":
        children = [draw(in_digest(entities, child)) for child in children]
    text = b"".join(children)
    boundary = draw(TOKEN.map(str.encode).filter(lambda word: b"--" + word not in text)) + b"'=%d" % len(text)
    preamble = draw(st.sampled_from([b"", b"preamble\r\n", b"\r\n--\r\n"]))
    epilogue = draw(st.sampled_from([b"", b"\r\n", b"\r\nepilogue\r\n"]))
    lines = b"".join(b"--" + boundary + b"\r\n" + child + b"\r\n" for child in children)
    head = b'Content-Type: multipart/%b; boundary="%b"\r\n\r\n' % (subtype, boundary)
    return head + preamble + lines + b"--" + boundary + b"--" + epilogue


MAILBOX = st.builds("{}@{}.example".format, ATOM, HOST)
NAMED = st.builds(
    "{} <{}>".format, st.one_of(ATOM.filter(lambda word: "=?" not in word), QUOTABLE.map('"{}"'.format)), MAILBOX
)
ADDRESSES = st.lists(st.one_of(MAILBOX, NAMED), min_size=1, max_size=4).map(",\r\n ".join)
TOP_FIELDS = st.fixed_dictionaries(
    {},
    optional={
        "From": ADDRESSES,
        "To": ADDRESSES,
        "cc": ADDRESSES,
        "Reply-To": ADDRESSES,
        "Subject": PLAIN,
        "Date": st.datetimes().map(email.utils.format_datetime),
        "Message-ID": MAILBOX.map("<{}>".format),
        "In-Reply-To": PLAIN,
    },
)


@st.composite
def whole(draw: Draw, entities: st.SearchStrategy[bytes]) -> bytes:
    fields = draw(TOP_FIELDS)
    return b"".join(f"{name}: {value}\r\n".encode() for name, value in fields.items()) + draw(entities)


ENTITIES = st.recursive(leaf(), lambda inner: st.one_of(multipart(inner), message_part(inner)), max_leaves=8)
MESSAGES = whole(ENTITIES)


def expected_body(entity: Any) -> list[object]:
    """The tree as `email` sees it: type, parameters, and what is inside."""
    if entity.get_content_maintype() == "multipart":
        return [*map(expected_body, entity.get_payload()), entity.get_content_subtype()]
    own = {name.lower(): value for name, value in (entity.get_params([]) or [])[1:]}
    if "Content-Type" not in entity and entity.get_content_type() == "text/plain":
        own = {"charset": "us-ascii"}
    inner = [expected_body(entity.get_payload(0))] if entity.get_content_type() == "message/rfc822" else []
    return [entity.get_content_type(), own, (entity.get("Content-Transfer-Encoding") or "7bit").lower(), *inner]


def seen_body(value: Value) -> list[object]:
    assert isinstance(value, list)
    if isinstance(value[0], list):
        return [*(seen_body(child) for child in value[:-1]), value[-1].decode().lower()]
    names = [name.decode().lower() for name in (value[2] or [])[::2]]
    values = [text.decode() for text in (value[2] or [])[1::2]]
    kind = b"/".join(value[:2]).decode().lower()
    inner = [seen_body(value[8])] if kind == "message/rfc822" else []
    return [kind, dict(zip(names, values, strict=True)), value[5].decode().lower(), *inner]


@given(MESSAGES)
def test_the_tree_its_types_and_its_parameters(content: bytes) -> None:
    assert seen_body(read(scan(content).body)) == expected_body(email.message_from_bytes(content))


def leaves(entity: Any, section: tuple[int, ...]) -> Iterator[tuple[tuple[int, ...], bytes]]:
    if entity.get_content_maintype() == "multipart":
        for number, child in enumerate(entity.get_payload(), start=1):
            inner = child.get_payload(0) if child.get_content_type() == "message/rfc822" else child
            is_list = inner.get_content_maintype() == "multipart"
            yield from leaves(inner, (*section, number) if is_list or inner is child else (*section, number, 1))
    elif entity.get_content_type() == "message/rfc822":
        inner = entity.get_payload(0)
        yield from leaves(inner, section if inner.get_content_maintype() == "multipart" else (*section, 1))
    else:
        yield section, entity._payload.encode("ascii", "surrogateescape")


@given(MESSAGES)
def test_the_octets_of_each_part(content: bytes) -> None:
    root = email.message_from_bytes(content)
    parts = scan(content).parts
    first = () if root.get_content_maintype() == "multipart" else (1,)
    for section, payload in leaves(root, first):
        found = part(parts, section)
        assert found is not None
        assert content[found.body_start : found.end] == payload


@given(MESSAGES)
def test_the_header_fields(content: bytes) -> None:
    scanned = scan(content)
    root = email.message_from_bytes(content)
    envelope = read(scanned.envelope)
    for place, name in [(0, "Date"), (1, "Subject"), (8, "In-Reply-To"), (9, "Message-ID")]:
        written = None if root[name] is None else "".join(root[name].splitlines()).strip().encode()
        assert envelope[place] == written
        assert field_value(scanned.header_cache, name.encode()) == written
    assert scanned.message_id == (root["Message-ID"] or "").strip().encode()


@given(MESSAGES)
def test_the_addresses(content: bytes) -> None:
    envelope = read(scan(content).envelope)
    root = email.message_from_bytes(content)
    for place, name in [(2, "From"), (4, "Reply-To"), (5, "To"), (6, "Cc")]:
        if name not in root:
            continue
        seen = [(b" ".join((who or b"").split()), local + b"@" + host) for who, _, local, host in envelope[place]]
        assert seen == [
            (b" ".join(who.encode().split()), address.encode())
            for who, address in email.utils.getaddresses([root[name]])
        ]


ZONES = st.integers(-23 * 60, 23 * 60).map(lambda minutes: dt.timezone(dt.timedelta(minutes=minutes)))


@given(st.datetimes(min_value=dt.datetime(1901, 1, 1), max_value=dt.datetime(9998, 1, 1), timezones=ZONES))
def test_dates(at: dt.datetime) -> None:
    written = email.utils.format_datetime(at)
    assert parse_date(written.encode()) == round(email.utils.parsedate_to_datetime(written).timestamp()) * 1000
