"""Nobody who watches sees a password, wherever in a hostile or clumsy login it stands."""

import base64
import io
from pathlib import Path

import pytest

from mailhost.conversation.secrets import mechanism_shown
from mailhost.events.event import Event
from mailhost.events.wire_log import WireLog
from mailhost.smtp.session import SMTPSettings
from tests.transcripts.player import Client
from tests.transcripts.world import PASSWORD, World, world

SECRET = "hunter2-passphrase"
B64, PLAIN = (base64.b64encode(form.encode()).decode() for form in (SECRET, f"\0alice@example.org\0{SECRET}"))
RIGHT = base64.b64encode(f"\0alice@example.org\0{PASSWORD}".encode()).decode()
LONG = "x" * 70_000
HELLO = {"smtp": "EHLO x\n"}

SMTP = [
    "AUTH {secret}",
    "AUTH {secret} x",
    "AUTH  {plain}",
    "AUTH PLAIN {plain}",
    "AUTH PLAIN\n{plain}",
    "AUTH LOGIN\n{b64}\n{b64}\n{b64}",
    "AUTH LOGIN {b64}\n{b64}\n{b64}\nNOOP\n{b64}",
    "AUTH NTLM\n{b64}\nEHLO x\n{secret}\nRSET\n{secret} {secret}",
    "AUTH PLAIN {plain}{long}\n{plain}",
    "AUTH LOGIN\n{long}{secret}\n{secret}",
    "AUTHPLAIN {plain}",
    "PASS {secret}",
    "PASS: {secret}{long}",
    "a1 LOGIN alice@example.org {secret}",
    "MAIL FROM:<alice@example.org>\nAUTH PLAIN {plain}",
]
POP3 = [
    "USER alice@example.org\n{secret}",
    "USER alice@example.org\nPASS{secret}",
    "USER alice@example.org\nPAS {secret}",
    "USER alice@example.org {secret}\nPASS {secret}\n{secret}\nNOOP\n{secret}",
    "USER {secret}",
    "user\t{secret}",
    "PASS {secret}",
    " PASS {secret}",
    "PASS\t{secret}",
    "PASS {long}{secret}\n{secret}",
    "APOP alice@example.org {secret}",
    "AUTH {secret}",
    "AUTH {secret} x",
    "AUTH PLAIN {plain}",
    "AUTH PLAIN\n{plain}\n{plain}",
    "AUTH LOGIN\n{b64}\n{b64}\n{b64}",
    "AUTH NTLM\n{b64}\nCAPA\n{b64}",
    "AUTH LOGIN\n{long}{secret}\n{secret}",
    "LOGIN alice@example.org {secret}",
]
IMAP = [
    "a LOGIN alice@example.org {secret}",
    "a LOGIN {secret}",
    'a LOGIN "alice@example.org" "{secret}" x',
    "a LOGIN alice@example.org {{18+}}\n{secret}",
    "a LOGIN {{18+}}\n{secret} {{18+}}\n{secret}",
    "a LOGIN alice@example.org {{18}}\n{secret}",
    "a LOGIN {{17}}\nalice@example.org {secret}",
    "a LOGIN alice@example.org\n{secret}",
    "a LOGIN wrong\na2 NOOP\n{secret}",
    "LOGIN alice@example.org {secret}",
    "a LOGN alice@example.org {secret}",
    "a  LOGIN alice@example.org {secret}",
    "a LOGIN x y\na3 {secret}",
    "a LOGIN alice@example.org {secret}{long}",
    "a AUTHENTICATE {secret}",
    "a AUTHENTICATE {secret} x",
    "a AUTHENTICATE PLAIN {plain}",
    "a AUTHENTICATE PLAIN {plain} x",
    "a AUTHENTICATE PLAIN\n{plain}\n{plain}",
    "a AUTHENTICATE LOGIN\n{b64}\n{b64}\n{b64}",
    "a AUTHENTICATE NTLM\n{b64}\nb NOOP\n{b64}",
    "a AUTHENTICATE PLAIN\n{long}{secret}\n{secret}",
    "a AUTHENTICATE PLAIN {{18+}}\n{secret}",
    "a XYZZY {{18+}}\n{secret} {{18+}}\n{secret}",
    "a XYZZY {secret}",
]


class Watch:
    """What the wire log and the log are told in one world, since it was asked last."""

    def __init__(self, here: World) -> None:
        self._here = here
        self._stream = io.StringIO()
        self._told = list[Event]()
        here.services.events.subscribe(WireLog(self._stream, full=True), lines=True)
        here.services.events.subscribe(self._told.append)

    async def of(self, protocol: str, dialogue: str, *, tls: bool) -> str:
        filled = dialogue.format(secret=SECRET, b64=B64, plain=PLAIN, right=RIGHT, long=LONG)
        one = Client(protocol, self._here, tls, SMTPSettings(submission=True) if protocol == "smtp" else None)
        for line in (HELLO.get(protocol, "") + filled).split("\n"):
            await one.rest()
            one.wire.client_says(line.encode() + b"\r\n")
        await one.leave()
        said = self._stream.getvalue() + repr(self._told)
        self._stream.truncate(self._stream.seek(0))
        self._told.clear()
        return said


@pytest.mark.parametrize("tls", [True, False])
@pytest.mark.parametrize(("protocol", "dialogues"), [("smtp", SMTP), ("pop3", POP3), ("imap", IMAP)])
async def test_no_password_is_shown(
    tmp_path: Path, template: Path, protocol: str, dialogues: list[str], tls: bool
) -> None:
    async with world(tmp_path / "data", template=template) as here:
        watch = Watch(here)
        for dialogue in dialogues:
            said = await watch.of(protocol, dialogue, tls=tls)
            assert " C: " in said
            for form in (SECRET, B64, PLAIN):
                assert form not in said, dialogue


@pytest.mark.parametrize(
    ("protocol", "dialogue"),
    [
        ("smtp", "AUTH PLAIN {right}\nNOOP\nFROB x"),
        ("pop3", f"USER alice@example.org\nPASS {PASSWORD}\nNOOP\nFROB x"),
        ("imap", f"a LOGIN alice@example.org {PASSWORD}\nb NOOP\nc FROB x"),
    ],
)
async def test_after_the_login_a_word_that_is_no_command_is_shown(
    tmp_path: Path, template: Path, protocol: str, dialogue: str
) -> None:
    async with world(tmp_path / "data", template=template) as here:
        said = await Watch(here).of(protocol, dialogue, tls=True)
    assert PASSWORD not in said
    assert RIGHT not in said
    assert "auth.ok" in said
    assert "FROB ***" in said


@pytest.mark.parametrize("word", [b"PLAIN", b"login", b"NTLM", b"SCRAM-SHA-256"])
def test_a_mechanism_is_shown(word: bytes) -> None:
    assert mechanism_shown(word) == word
