"""Messages that show whether a server keeps what it was given, and what it may put before them."""

import base64
import hashlib
import re
from dataclasses import dataclass

LARGE_OCTETS = 20 << 20
OUR_FIELDS = (b"Return-Path", b"Delivered-To", b"Received")
"""What stands before every message that we deliver (RFC 5321 section 4.4, RFC 9228)."""

_FIELD = re.compile(rb"([!-9;-~]+):[^\r\n]*\r\n(?:[ \t][^\r\n]*\r\n)*")


ALICE = "Alice <alice@example.org>"


def header(subject: str, *more: str, name: str = "", author: str = ALICE, charset: str = "ascii") -> bytes:
    """A complete one: submission finds nothing to add. `name` is what a test calls it, where that isn't its subject."""
    lines = [
        f"From: {author}",
        "To: Bob <bob@example.org>",
        f"Subject: {subject}",
        "Date: Sat, 21 Nov 2026 10:00:00 +0800",
        f"Message-ID: <{_identity(name or subject)}@client.example>",
        "MIME-Version: 1.0",
        *more,
    ]
    return "\r\n".join(lines).encode(charset) + b"\r\n\r\n"


def _identity(name: str) -> str:
    return hashlib.sha256(name.encode()).hexdigest()[:16]


def attachment() -> bytes:
    """A multipart with 300 KB of what looks like chance."""
    noise = b"".join(hashlib.sha256(number.to_bytes(4, "big")).digest() for number in range(9_600))
    return (
        header("attachment", 'Content-Type: multipart/mixed; boundary="=_b"')
        + b"Preamble.\r\n--=_b\r\nContent-Type: text/plain; charset=utf-8\r\n\r\nSee the attachment.\r\n"
        + b"--=_b\r\nContent-Type: application/octet-stream\r\nContent-Transfer-Encoding: base64\r\n"
        + b'Content-Disposition: attachment; filename="noise.bin"\r\n\r\n'
        + base64.encodebytes(noise).replace(b"\n", b"\r\n")
        + b"--=_b--\r\nEpilogue.\r\n"
    )


MEETING = "会议改到下午三点"
AUTHOR = "张爱丽"
IN_CHINESE = f"各位同事：\r\n\r\n{MEETING}，请带上合同。㐀𠀀\r\n.\r\n".encode("gb18030")
"""㐀 and 𠀀 take four octets each, some of which look like digits."""


def encoded(text: str, charset: str = "gb18030") -> str:
    """encoded-word (RFC 2047 section 2), as Foxmail and QQ mail write it."""
    return f"=?{charset}?B?{base64.b64encode(text.encode(charset)).decode()}?="


def chinese(name: str, subject: str, author: str, charset: str) -> bytes:
    content = ("Content-Type: text/plain; charset=gb18030", "Content-Transfer-Encoding: 8bit")
    address = f"{author} <alice@example.org>"
    return header(subject, *content, name=name, author=address, charset=charset) + IN_CHINESE


CONTENTS: dict[str, bytes] = {
    "text": header("text") + b"Hello, Bob.\r\n\r\n-- \r\nAlice\r\n",
    "8-bit": header("8-bit", "Content-Type: text/plain; charset=utf-8", "Content-Transfer-Encoding: 8bit")
    + "Grüße, 你好, \u202eabc\r\n".encode()
    + bytes(range(128, 256))
    + b"\r\n",
    "gb18030": header("gb18030", "Content-Type: text/plain; charset=gb18030", "Content-Transfer-Encoding: 8bit")
    + "会议改到下午三点，请带上合同。㐀𠀀\r\n".encode("gb18030"),
    "dots": header("dots") + b".\r\n..\r\n.a line\r\n...three\r\n. \r\nend.\r\n.\r\n",
    "long lines": header("long lines") + b"x" * 998 + b"\r\n" + b"." * 998 + b"\r\n" + b"y" * 20_000 + b"\r\n",
    "attachment": attachment(),
    "empty body": header("empty body"),
    "blank lines": header("blank lines") + b"\r\n" * 5,
    "trailing blanks": header("trailing blanks") + b"a \t\r\n \r\n\t\r\n",
    "Chinese": chinese("Chinese", encoded(MEETING), encoded(AUTHOR), "ascii"),
    "raw Chinese": chinese("raw Chinese", MEETING, AUTHOR, "gb18030"),  # no RFC allows it; old clients send it
    "20 MiB": header("20 MiB") + (b"0123456789abcdef" * 4 + b"\r\n") * (LARGE_OCTETS // 66),
}


_NAMES = {_identity(name).encode(): name for name in CONTENTS}


@dataclass(frozen=True)
class Delivered:
    """A message as POP3 and IMAP serve it: our own fields, and what its sender wrote."""

    ours: tuple[bytes, ...]
    content: bytes


def delivered(served: bytes) -> Delivered:
    """Take our own fields off, which must be there, in their order, once each."""
    start, ours = 0, []
    for name in OUR_FIELDS:
        field = _FIELD.match(served, start)
        assert field is not None, served[start : start + 200]
        assert field[1] == name, field[0]
        ours.append(field[0])
        start = field.end()
    return Delivered(tuple(ours), served[start:])


def subject_of(content: bytes) -> str:
    found = re.search(rb"^Subject: ([^\r\n]*)", content, re.MULTILINE)
    assert found is not None
    return found[1].decode()


def name_of(content: bytes) -> str:
    """Which of CONTENTS this is, by its Message-ID, however a client has changed the rest."""
    found = re.search(rb"^Message-ID: <(\w+)@client\.example>", content, re.MULTILINE | re.IGNORECASE)
    assert found is not None, content[:500]
    return _NAMES[found[1]]
