"""The text of a notice: every language has every sentence, and a long list is cut off."""

from string import Formatter

import pytest

from mailhost.ids import DeliveryId, JourneyId, Millis
from mailhost.message.report import Action
from mailhost.queue.values import Delivery, State
from mailhost.relay.meanings import Language
from mailhost.relay.notice_text import ENGLISH, MOST_LISTED, WORDS, About, languages, subject, text
from mailhost.relay.wishes import Happened, Kind

ABOUT = About("mx.red.test", "hello {who} %s", Millis(1_780_000_000_000), Millis(1_780_432_000_000))
BOTH, ENGLISH_ONLY = (Language.CHINESE, Language.ENGLISH), (Language.ENGLISH,)


def failed(recipient: str, reply: str | None = "550 5.1.1 No such user", original: str = "") -> Happened:
    row = Delivery(
        DeliveryId(1), JourneyId(1), None, recipient, original or recipient, "blue.test", State.BOUNCED
    )  # fmt: skip
    return Happened(row, Action.FAILED, "5.1.1", "mx.blue.test refused it", reply, "mx.blue.test")


def places(sentence: str) -> set[str | None]:
    return {name for _, name, _, _ in Formatter().parse(sentence) if name is not None}


@pytest.mark.parametrize("language", Language)
def test_every_language_has_every_sentence_with_its_places(language: Language) -> None:
    words = WORDS[language]
    assert set(words) == set(ENGLISH)
    assert {name: places(words[name]) for name in words} == {name: places(ENGLISH[name]) for name in ENGLISH}
    assert {f"subject {kind.name}" for kind in Kind} | {kind.name for kind in Kind} <= set(words)


@pytest.mark.parametrize(
    ("subject", "header", "spoken"),
    [
        ("hello", b"Content-Type: text/plain; charset=utf-8\r\n", ENGLISH_ONLY),
        ("会议通知", b"", BOTH),
        ("Re: 會議", b"", BOTH),
        ("会議のお知らせ", b"", ENGLISH_ONLY),
        ("회의 會議", b"", ENGLISH_ONLY),
        ("", b'Content-Type: text/plain;\r\n charset="GB2312"\r\n', BOTH),
        ("", b"From: =?gbk?B?1tDOxA==?= <a@b>\r\n", BOTH),
        ("", b"Subject: gbk is a charset\r\n", ENGLISH_ONLY),
    ],
)
def test_the_language_is_that_of_the_message(subject: str, header: bytes, spoken: tuple[Language, ...]) -> None:
    assert languages(subject, header) == spoken


def test_a_long_list_is_cut_off_and_says_so() -> None:
    said = text(Kind.FAILED, ABOUT, [failed(f"p{n}@blue.test") for n in range(MOST_LISTED + 7)], ENGLISH_ONLY)
    assert f"p{MOST_LISTED - 1}@blue.test" in said
    assert f"p{MOST_LISTED}@blue.test" not in said
    assert "... and 7 more," in said


def test_braces_in_what_others_wrote_are_nothing_but_text() -> None:
    said = text(Kind.FAILED, ABOUT, [failed("{host}@blue.test", "550 {recipient}")], BOTH)
    assert said.count("{host}@blue.test") == 4
    assert said.count("        550 {recipient}\n") == 2
    assert said.count("hello {who} %s") == 2
    assert subject(Kind.FAILED, ABOUT, Language.ENGLISH) == "Not delivered: hello {who} %s"


@pytest.mark.parametrize("line_end", ["\r\n", "\n", "\x85", "\u2028", "\x0b", "\x1c"])
def test_a_line_end_in_what_a_host_said_begins_no_line(line_end: str) -> None:
    said = text(Kind.FAILED, ABOUT, [failed("bob@blue.test", f"550 No{line_end}Dear user, click here")], ENGLISH_ONLY)
    assert not any(line.startswith("Dear user") for line in said.splitlines())


def test_where_no_host_has_spoken_we_say_what_happened() -> None:
    assert "    What happened:\n        mx.blue.test refused it\n" in text(
        Kind.FAILED, ABOUT, [failed("bob@blue.test", None)], ENGLISH_ONLY
    )


@pytest.mark.parametrize(
    ("original", "written"),
    [
        ("bob@blue.test", "bob@blue.test"),
        ("rfc822;Bob+x@green.test", "Bob+x@green.test"),
        ("utf-8;用户@green.test", "用户@green.test"),
        ("x400;/C=de", "x400;/C=de"),
    ],
)
def test_the_recipient_is_named_as_the_sender_wrote_it(original: str, written: str) -> None:
    assert failed("bob@blue.test", original=original).written == written
