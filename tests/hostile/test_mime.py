"""Messages built to be costly to read (CVE-2020-12100, CVE-2026-27859, CVE-2024-23184): fetched, searched and shown within bounds."""

import re

import pytest

from tests.hostile.talk import append, deliver, imap, pop3
from tests.service import Server

pytestmark = pytest.mark.service

ALICE = "alice@example.org"
MIXED = b"Content-Type: multipart/mixed; boundary=b\r\n\r\n"
TEXT = b"Content-Type: text/plain; charset=%b\r\nContent-Transfer-Encoding: %b\r\n\r\n"
BOMBS = {
    "10,000 parts": MIXED + b"--b\r\nContent-Type: text/html\r\n\r\n<b>x</b>\r\n" * 10_000 + b"--b--",
    "1,000 multiparts deep": b"".join(
        b"Content-Type: multipart/mixed; boundary=%d\r\n\r\n--%d\r\n" % (n, n) for n in range(1_000)
    ),
    "1,000 messages deep": b"Content-Type: message/rfc822\r\n\r\n" * 1_000,
    "100,000 RFC 2231 parameters": b"Content-Type: text/plain" + b"".join(b";\r\n a*%d=b" % n for n in range(60_000)) + b"\r\n\r\nx",
    "100,000 of the same": b"Content-Type: text/plain" + b";a*0=b" * 100_000 + b"\r\n\r\nx",
    "100,000 addresses": b"To: " + b"a@b.c,\r\n " * 100_000 + b"d@e.f\r\n\r\nx",
    "100,000 groups": b"To: " + b"g:;" * 100_000 + b"\r\n\r\nx",
    "900 KB of one field": b"Subject: " + b"x" * 900_000 + b"\r\n\r\nx",
    "100,000 message-ids": b"References: " + b"<a@b> " * 100_000 + b"\r\n\r\nx",
    "encoded words without an end": b"Subject: " + b"=?a?q?" * 10_000 + b"\r\nFrom: " + b"=?utf-8?b?" * 6_000 + b"\r\n\r\nx",
    "marks of encoded words": b"Subject: " + b"=?" * 30_000 + b"\r\n\r\nx",
    "ends of encoded words": b"Subject: =?utf-8?q?" + b"a?" * 30_000 + b"\r\n\r\nx",
    "encoded words, 5,000": b"Subject: " + b"=?utf-8?q?a=C3=A4?= " * 3_000 + b"\r\n\r\nx",
    "encoded words in base64 that is none": b"Subject: " + b"=?utf-8?b?=====?= =?utf-8?b?A?= =?utf-8?b?!?= " * 1_000 + b"\r\n\r\nx",
    "charsets that are none": b"Subject: "
    + b" ".join(b"=?%b?q?a=FF?=" % name for name in (b"zlib", b"rot13", b"hex", b"undefined", b"x" * 5_000, b"..", b"\xff", b"idna"))
    + b"\r\n\r\nx",
    "punycode in a field": b"Subject: =?punycode?q?" + b"a" * 30_000 + b"-" + b"9" * 25_000 + b"?=\r\n\r\nx",
    "punycode in a text": TEXT % (b"punycode", b"8bit") + b"a" * 300_000 + b"-" + b"9" * 200_000,
    "idna": TEXT % (b"idna", b"8bit") + b"xn--" + b"a" * 500_000,
    "utf-7": TEXT % (b"utf-7", b"8bit") + b"+AAA-" * 200_000,
    "unicode_escape": TEXT % (b"unicode_escape", b"8bit") + b"\\N{" * 200_000,
    "iso-2022-jp": TEXT % (b"iso-2022-jp", b"8bit") + b"\x1b$B\x1b(B" * 200_000,
    "base64 without an end": TEXT % (b"utf-8", b"base64") + b"=" * 700_000,
    "quoted-printable of equals": TEXT % (b"utf-8", b"quoted-printable") + b"=\r\n" * 250_000,
    "tags that never end": b"Content-Type: text/html\r\n\r\n" + b"<" * 800_000,
    "tags in tags": b"Content-Type: text/html\r\n\r\n" + b"<a" * 400_000 + b">" * 400_000,
    "entities": b"Content-Type: text/html\r\n\r\n" + b"&CounterClockwiseContourIntegral" * 20_000 + b"&#9999999999999;" * 20_000,
    "letters that grow": TEXT % (b"utf-8", b"8bit") + "\ufdfa".encode() * 200_000,
    "accents on one letter": TEXT % (b"utf-8", b"8bit") + b"a" + "\u0301\u0327".encode() * 150_000,
    "accents in a field": b"Subject: a" + "\u0301\u0327".encode() * 16_000 + b"\r\nX: b" + "\u0301\u0327".encode() * 16_000 + b"\r\n\r\nx",
    "ligatures in fields": (b"Subject: " + "\ufdfa".encode() * 20_000 + b"\r\n") * 4 + b"\r\nx",
    "one line of 4 MB": b"Subject: x\r\n\r\n" + b"y" * 4_000_000,
    "a million lines": b"Subject: x\r\n\r\n" + b".\r\n" * 1_000_000,
}  # fmt: skip


@pytest.mark.parametrize("content", BOMBS.values(), ids=BOMBS)
def test_a_bomb_is_fetched_searched_and_shown_while_others_are_served(victim: Server, content: bytes) -> None:
    """`victim` fails where the loop was blocked meanwhile, or memory did not return."""
    before = victim.resident_octets()
    with imap(victim) as client:
        append(client, b"INBOX", content + b"\r\n")
        assert client.tagged(b"s SELECT INBOX\r\n").startswith(b"s OK")
        for item in (b"ENVELOPE", b"BODYSTRUCTURE", b"BODY", b"BODY.PEEK[1.1.1.1]", b"BODY.PEEK[HEADER.FIELDS (To)]"):
            said = client.whole(b"f FETCH * %b\r\n" % item)
            assert said.rpartition(b"\n")[2].startswith(b"f OK"), item
            assert len(said) < 3 * len(content) + 10_000
        assert client.tagged(b"k SEARCH *" + b" NOT SUBJECT zyx NOT BODY zyx" * 20 + b"\r\n").startswith(b"k OK")
        for key in (b"SUBJECT", b"FROM", b"TO", b"TEXT", b"BODY", b"HEADER References"):
            assert client.tagged(b"g SEARCH * %b zyx\r\n" % key).startswith(b"g OK"), key
    with pop3(victim) as client:
        last = int(client.ask(b"STAT\r\n").split()[1])
        text = client.listing(b"TOP %d 1000000\r\n" % last)
        assert len(text) > len(content)
        assert client.ask(b"DELE %d\r\n" % last).startswith(b"+OK")
        assert client.ask(b"QUIT\r\n").startswith(b"+OK")
    assert victim.resident_octets() - before < 96 << 20


def test_a_header_beyond_its_bound_is_refused_by_smtp_and_kept_whole_by_append(victim: Server) -> None:
    """A header of 50 MB: SMTP says 552; APPEND stores what its owner has, and describes what it looked at."""
    field = b"X-Long: " + b"y" * 990 + b"\r\n"
    assert deliver(victim, field * 5_000 + b"\r\nx", ALICE).startswith(b"552 5.3.4 ")
    with imap(victim) as client:
        append(client, b"INBOX", field * 49_000 + b"Subject: at the end\r\n\r\nbody\r\n")
        assert client.tagged(b"s SELECT INBOX\r\n").startswith(b"s OK")
        said = client.whole(b"f FETCH * (RFC822.SIZE ENVELOPE BODYSTRUCTURE)\r\n")
        assert said.rpartition(b"\n")[2].startswith(b"f OK")
        assert len(said) < 5_000
        size = re.search(rb"RFC822.SIZE (\d+)", said)
        assert size is not None
        assert int(size[1]) == len(field) * 49_000 + len(b"Subject: at the end\r\n\r\nbody\r\n")
        assert client.tagged(b"g SEARCH * OR SUBJECT end TEXT body\r\n").startswith(b"g OK")
        assert client.tagged(b"h STORE * +FLAGS.SILENT (\\Deleted)\r\n").startswith(b"h OK")
        assert client.tagged(b"i CLOSE\r\n").startswith(b"i OK")
