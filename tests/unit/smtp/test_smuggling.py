"""Smuggling (CVE-2023-51764 and its kin): what looks like an end of data and is none never ends it, and nothing in it runs."""

from pathlib import Path

import pytest

from tests.transcripts.world import World
from tests.unit.smtp.talk import begin, client, in_world, messages_of

HIDDEN = b"MAIL FROM:<smuggled@example.net>\r\nRCPT TO:<alice@example.org>\r\nDATA\r\nSubject: smuggled\r\n\r\nx\r\n"
ENDS = {
    "LF.LF": b"\n.\n",
    "LF.CRLF": b"\n.\r\n",
    "CRLF.LF": b"\r\n.\n",
    "CR.CR": b"\r.\r",
    "CRLF.CR": b"\r\n.\r",
    "CR.CRLF": b"\r.\r\n",
    "CR.LF": b"\r.\n",
    "CRLF.NUL.CRLF": b"\r\n.\0\r\n",
    "CRLF.NULCRLF": b"\r\n\0.\r\n",
    "CRCRLF.CRCRLF": b"\r\r\n.\r\r\n",
    "NUL": b"\0",
}


@pytest.mark.parametrize("whole", [True, False], ids=["in one packet", "octet by octet"])
@pytest.mark.parametrize("end", ENDS.values(), ids=ENDS)
def test_a_false_end_is_refused_and_what_it_hides_never_runs(
    end: bytes, whole: bool, tmp_path: Path, template: Path
) -> None:
    async def act(here: World) -> None:
        async with client(here) as one:
            await begin(one, "bob")
            data = b"Subject: x\r\n\r\nbody" + end + HIDDEN + b".\r\nNOOP\r\n"
            if whole:
                heard = await one.ask(data)
            else:
                heard = b"".join([await one.ask(data[at : at + 1]) for at in range(len(data))])
            refused, noop = heard.splitlines()
            assert refused.startswith(b"550 5.6.0 ")
            assert noop == b"250 2.0.0 OK"
        for user in ("alice", "bob"):
            assert await messages_of(here, user) == 0

    in_world(tmp_path, template, act)


@pytest.mark.parametrize("end", [each for name, each in ENDS.items() if "NUL" not in name])
def test_normalised_it_is_one_message_with_what_it_hides_as_text(end: bytes, tmp_path: Path, template: Path) -> None:
    async def act(here: World) -> None:
        async with client(here, normalise_newlines=True) as one:
            await begin(one, "bob")
            heard = await one.ask(b"Subject: x\r\n\r\nbody" + end + HIDDEN + b".\r\nNOOP\r\n")
            accepted, noop = heard.splitlines()
            assert accepted.startswith(b"250 2.0.0 Accepted")
            assert noop == b"250 2.0.0 OK"
        assert await messages_of(here, "alice") == 0
        assert await messages_of(here, "bob") == 1

    in_world(tmp_path, template, act)
