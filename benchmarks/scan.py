"""How long scan() takes: `python -m benchmarks.scan`.

The goal for the text message is 30 us; benchmarks/README.md has what was measured last. `email` gives a tree in its time; ENVELOPE
and BODYSTRUCTURE would come on top of it.
"""

import email
import email.policy
import timeit
from collections.abc import Callable

from mailhost.message.structure import scan

RUNS = 7
SECONDS_A_RUN = 0.3
LINE = b"The quick brown fox jumps over the lazy dog, again and again.\r\n"

RECEIVED = b"".join(
    b"Received: from mx%d.example.net (mx%d.example.net [192.0.2.%d])\r\n"
    b"\tby mail.example.org with ESMTPS id 00c0ffee%d\r\n"
    b"\tfor <bob@example.org>; Sat, 21 Nov 2026 10:00:00 +0000\r\n" % (hop, hop, hop, hop)
    for hop in range(3)
)
HEAD = (
    RECEIVED
    + b"""\
Date: Sat, 21 Nov 2026 10:00:00 +0000\r
From: Alice Example <alice@example.com>\r
To: "Bob, Example" <bob@example.org>, carol@example.net\r
Cc: =?utf-8?q?D=C3=A9?= <d@example.org>\r
Subject: Figures for the third quarter\r
Message-ID: <20261121.100000.1@example.com>\r
In-Reply-To: <1@example.org>\r
References: <0@example.org> <1@example.org>\r
MIME-Version: 1.0\r
X-Mailer: Example 1.0\r
"""
)
TEXT = b"Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\n"
ATTACHED = (
    b'Content-Type: application/pdf; name="a.pdf"\r\nContent-Transfer-Encoding: base64\r\n'
    b'Content-Disposition: attachment; filename="a.pdf"\r\n\r\n'
)
FIRST_PARTS = b"""\
Content-Type: multipart/mixed; boundary="=_mixed"\r
\r
--=_mixed\r
Content-Type: multipart/alternative; boundary="=_alternative"\r
\r
--=_alternative\r
Content-Type: text/plain; charset=utf-8\r
\r
Hello\r
--=_alternative\r
Content-Type: text/html; charset=utf-8\r
\r
<p>Hello</p>\r
--=_alternative--\r
"""


def text_message(octets: int) -> bytes:
    head = HEAD + TEXT
    return head + LINE * ((octets - len(head)) // len(LINE))


def multipart_message(octets: int) -> bytes:
    """Text, HTML and two attachments, as clients write it."""
    lines = (b"QUJD" * 19 + b"\r\n") * (octets // 2 // 78)
    attached = b"--=_mixed\r\n" + ATTACHED + lines
    return HEAD + FIRST_PARTS + attached * 2 + b"--=_mixed--\r\n"


def microseconds(work: Callable[[], object]) -> float:
    timer = timeit.Timer(work)
    once, _ = timer.autorange()
    number = max(once, int(SECONDS_A_RUN / (timer.timeit(once) / once)))
    return min(timer.repeat(RUNS, number)) / number * 1e6


def main() -> None:
    print(f"{'message':22} {'octets':>8} {'scan':>9} {'email, compat32':>16} {'email, default':>16}")
    for name, content in [("text", text_message(4_096)), ("4 parts", multipart_message(100 * 1024))]:
        columns = [
            microseconds(lambda content=content: scan(content)),  # type: ignore[misc]  # bound at once
            microseconds(lambda content=content: email.message_from_bytes(content)),  # type: ignore[misc]
            microseconds(lambda content=content: email.message_from_bytes(content, policy=email.policy.default)),  # type: ignore[misc]
        ]
        print(f"{name:22} {len(content):8} {columns[0]:6.1f} us {columns[1]:13.1f} us {columns[2]:13.1f} us")


if __name__ == "__main__":
    main()
