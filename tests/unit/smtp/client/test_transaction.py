"""One message: what is said, what each recipient is answered, and that no answer is taken for another's."""

import asyncio
from dataclasses import replace
from functools import partial

import pytest

from mailhost.message.form import Form
from mailhost.smtp.client.client import Client
from mailhost.smtp.client.hello import Abilities
from mailhost.smtp.client.outgoing import By, Outgoing, To
from mailhost.transport.memory import MemoryWire
from tests.unit.smtp.client.peer import QUICK, Text, Way, greet_and_send, message, play

PLAIN = """
    S: 220 here
    C: EHLO me.test
    S: 250 here
"""
PIPELINING = """
    S: 220 here
    C: EHLO me.test
    S: 250-here
    S: 250 PIPELINING
"""
CONTENT = """
    C: Subject: x
    C:
    C: ..dot
    C: .
"""
ways = pytest.mark.parametrize("way", Way)


async def outcome(script: str, outgoing: Outgoing | None = None, **how: object) -> object:
    return await play(script, partial(greet_and_send, outgoing=outgoing or message()), **how)  # type: ignore[arg-type]


@ways
async def test_step_by_step(way: Way) -> None:
    script = f"""{PLAIN}
        C: MAIL FROM:<alice@red.test>
        S: 250 ok
        C: RCPT TO:<bob@blue.test>
        S: 250 ok
        C: DATA
        S: 354 go ahead
        {CONTENT}
        S: 250-2.0.0 taken
        S: 250 2.0.0 as 1
    """
    assert await outcome(script, way=way) == [250]


@ways
async def test_in_one_packet_and_each_recipient_has_its_own_answer(way: Way) -> None:
    script = f"""{PIPELINING}
        C: MAIL FROM:<alice@red.test>
        C: RCPT TO:<a@blue.test>
        C: RCPT TO:<b@blue.test>
        C: RCPT TO:<c@blue.test>
        C: DATA
        S: 250 ok
        S: 250 ok
        S: 550 5.1.1 no such user
        S: 450 4.2.1 later
        S: 354 go ahead
        {CONTENT}
        S: 250 taken
    """
    assert await outcome(script, message("a@blue.test", "b@blue.test", "c@blue.test"), way=way) == [250, 550, 450]


async def test_nobody_is_accepted() -> None:
    script = f"""{PIPELINING}
        C: MAIL FROM:<alice@red.test>
        C: RCPT TO:<bob@blue.test>
        C: DATA
        S: 250 ok
        S: 550 no
        S: 554 no valid recipients
        C: RSET
        S: 250 ok
    """
    assert await outcome(script) == [550]
    one_by_one = f"""{PLAIN}
        C: MAIL FROM:<alice@red.test>
        S: 250 ok
        C: RCPT TO:<bob@blue.test>
        S: 550 no
        C: RSET
        S: 250 ok
    """
    assert await outcome(one_by_one) == [550]


async def test_354_though_nobody_is_accepted_gets_an_empty_content() -> None:
    script = f"""{PIPELINING}
        C: MAIL FROM:<alice@red.test>
        C: RCPT TO:<bob@blue.test>
        C: DATA
        S: 250 ok
        S: 550 no
        S: 354 go ahead
        C: .
        S: 554 no recipients
    """
    assert await outcome(script) == [550]


async def test_354_though_the_sender_was_refused() -> None:
    script = f"""{PIPELINING}
        C: MAIL FROM:<alice@red.test>
        C: RCPT TO:<bob@blue.test>
        C: DATA
        S: 550 5.7.1 not you
        S: 250 ok
        S: 354 go ahead
        C: .
        S: 250 taken, whatever
    """
    assert await outcome(script) == [550]


async def test_too_many_replies_are_never_taken_for_the_answer_to_the_content() -> None:
    """A peer that says 250 once too often must not have mail counted as taken."""
    script = f"""{PIPELINING}
        C: MAIL FROM:<alice@red.test>
        C: RCPT TO:<bob@blue.test>
        C: DATA
        S: 250 ok
        S: 250 ok
        S: 354 go ahead
        S: 250 taken
    """
    assert await outcome(script) == [None, "NotSMTP"]


async def test_a_reply_ahead_of_its_command_ends_the_conversation() -> None:
    script = f"""{PLAIN}
        C: MAIL FROM:<alice@red.test>
        S: 250 ok
        S: 250 ok for whoever comes
    """
    assert await outcome(script) == [None, "OutOfStep"]


async def test_a_refusal_in_the_middle_of_the_message_counts() -> None:
    async def act(client: Client) -> object:
        big = Outgoing("alice@red.test", [To("bob@blue.test")], Text(b"x" * 60 + b"\r\n"))
        return await greet_and_send(client, big)

    script = f"""{PIPELINING}
        C: MAIL FROM:<alice@red.test>
        C: RCPT TO:<bob@blue.test>
        C: DATA
        S: 250 ok
        S: 250 ok
        S: 354 go ahead
        S: 552 5.3.4 too large
    """
    assert await play(script, act) == [552, "NotSMTP"]


@ways
async def test_too_few_replies_leave_those_without_an_answer(way: Way) -> None:
    script = f"""{PIPELINING}
        C: MAIL FROM:<alice@red.test>
        C: RCPT TO:<a@blue.test>
        C: RCPT TO:<b@blue.test>
        C: DATA
        S: 250 ok
        S: 550 5.1.1 no such user
        close
    """
    assert await outcome(script, message("a@blue.test", "b@blue.test"), way=way) == [550, None, "EndOfInput"]


async def test_421_in_the_middle_decides_about_nobody() -> None:
    script = f"""{PIPELINING}
        C: MAIL FROM:<alice@red.test>
        C: RCPT TO:<a@blue.test>
        C: RCPT TO:<b@blue.test>
        C: DATA
        S: 250 ok
        S: 250 ok
        S: 421 4.3.2 shutting down
    """
    assert await outcome(script, message("a@blue.test", "b@blue.test"), way=Way.OCTETS) == [None, None, "Declined"]


async def test_421_between_two_messages_is_heard() -> None:
    async def act(client: Client) -> tuple[object, object]:
        first = await greet_and_send(client, message())
        return first, (await client.send(message())).broken

    script = f"""{PLAIN}
        C: MAIL FROM:<alice@red.test>
        S: 250 ok
        C: RCPT TO:<bob@blue.test>
        S: 250 ok
        C: DATA
        S: 354 go ahead
        {CONTENT}
        S: 250 taken
        S: 421 4.4.2 idle for too long
    """
    first, broken = await play(script, act)
    assert first == [250]
    assert "421 4.4.2 idle for too long" in str(broken)


async def test_closed_behind_the_final_dot_nobody_knows() -> None:
    async def act(client: Client) -> object:
        return await greet_and_send(client, message()), client.step

    script = f"""{PLAIN}
        C: MAIL FROM:<alice@red.test>
        S: 250 ok
        C: RCPT TO:<bob@blue.test>
        S: 250 ok
        C: DATA
        S: 354 go ahead
        {CONTENT}
        close
    """
    assert await play(script, act) == ([None, "EndOfInput"], "end of content")


async def test_closed_before_the_final_dot_it_was_not_taken() -> None:
    """The step tells: this one cannot make a duplicate."""

    async def act(client: Client) -> object:
        return await greet_and_send(client, message()), client.step

    script = f"""{PLAIN}
        C: MAIL FROM:<alice@red.test>
        S: 250 ok
        C: RCPT TO:<bob@blue.test>
        S: 250 ok
        C: DATA
        S: 354 go ahead
        close
    """
    assert await play(script, act) == ([None, "EndOfInput"], "content")


@pytest.mark.parametrize(("reply", "wanted"), [("299 what", [None, "NotSMTP"]), ("350 hm", [350])])
async def test_only_354_begins_the_content(reply: str, wanted: list[object]) -> None:
    script = f"""{PLAIN}
        C: MAIL FROM:<alice@red.test>
        S: 250 ok
        C: RCPT TO:<bob@blue.test>
        S: 250 ok
        C: DATA
        S: {reply}
        C: RSET
        S: 250 ok
    """
    assert await outcome(script if reply[0] == "3" else script[: script.index("C: RSET")]) == wanted


async def test_a_size_that_the_host_does_not_take_is_not_even_asked_for() -> None:
    script = """
        S: 220 here
        C: EHLO me.test
        S: 250-here
        S: 250 SIZE 10
    """
    assert await outcome(script) == ["5.3.4"]


async def test_552_to_rcpt_means_too_many_recipients() -> None:
    script = f"""{PLAIN}
        C: MAIL FROM:<alice@red.test>
        S: 250 ok
        C: RCPT TO:<a@blue.test>
        S: 250 ok
        C: RCPT TO:<b@blue.test>
        S: 552 too many recipients
        C: RCPT TO:<c@blue.test>
        S: 552 5.2.2 mailbox full
        C: DATA
        S: 354 go ahead
        {CONTENT}
        S: 250 taken
    """
    assert await outcome(script, message("a@blue.test", "b@blue.test", "c@blue.test")) == [250, 452, 552]


ALL = """
    S: 220 here
    C: EHLO me.test
    S: 250-here
    S: 250-SIZE
    S: 250-8BITMIME
    S: 250-SMTPUTF8
    S: 250-DSN
    S: 250-CHUNKING
    S: 250-BINARYMIME
    S: 250 PIPELINING
"""


async def test_dsn_is_passed_on_in_xtext() -> None:
    to = To("bob@blue.test", "FAILURE,DELAY", "rfc822;b+b=b@blue.test")
    outgoing = Outgoing("alice@red.test", [to], Text(b"x\r\n"), ret="HDRS", envid="1+1=2 ö")
    script = f"""{ALL}
        C: MAIL FROM:<alice@red.test> SIZE=3 RET=HDRS ENVID=1+2B1+3D2+20+C3+B6
        C: RCPT TO:<bob@blue.test> NOTIFY=FAILURE,DELAY ORCPT=rfc822;b+2Bb+3Db@blue.test
        C: DATA
        S: 550 no
        S: 503 no
        S: 503 no
    """
    assert await outcome(script, outgoing) == [550]


async def test_utf8_in_orcpt_is_escaped_where_smtputf8_is_not_said() -> None:
    to = To("bob@blue.test", "NEVER", "utf-8;用\\户@blue.test")
    outgoing = Outgoing("alice@red.test", [to], Text(b"x\r\n"))
    script = f"""{ALL}
        C: MAIL FROM:<alice@red.test> SIZE=3
        C: RCPT TO:<bob@blue.test> NOTIFY=NEVER ORCPT=utf-8;\\x{{7528}}\\x{{5C}}\\x{{6237}}@blue.test
        C: DATA
        S: 550 no
        S: 503 no
        S: 503 no
    """
    assert await outcome(script, outgoing) == [550]


@pytest.mark.parametrize(
    ("requires", "said"),
    [
        (Form.PLAIN, "SIZE=4"),
        (Form.EIGHTBIT, "SIZE=4 BODY=8BITMIME"),
        (Form.EIGHTBIT | Form.UTF8, "SIZE=4 BODY=8BITMIME SMTPUTF8"),
    ],
)
async def test_mail_says_what_the_content_needs_and_no_more(requires: Form, said: str) -> None:
    script = f"""{ALL}
        C: MAIL FROM:<alice@red.test> {said}
        C: RCPT TO:<bob@blue.test>
        C: DATA
        S: 250 ok
        S: 250 ok
        S: 354 go
        C: \N{LATIN SMALL LETTER E WITH ACUTE}
        C: .
        S: 250 taken
    """
    assert await outcome(script, message(text="é\r\n".encode(), requires=requires)) == [250]


async def test_a_utf8_address_needs_smtputf8() -> None:
    paths = ("用户@blue.test", "bob@blue.test")
    script = f"""{ALL}
        C: MAIL FROM:<alice@red.test> SIZE=20 BODY=8BITMIME SMTPUTF8
        C: RCPT TO:<用户@blue.test>
        C: RCPT TO:<bob@blue.test>
        C: DATA
        S: 550 no
        S: 503 no
        S: 503 no
        S: 503 no
    """
    assert await outcome(script, message(*paths)) == [550, 550]
    without = f"""{PLAIN}
        C: MAIL FROM:<alice@red.test>
        S: 250 ok
        C: RCPT TO:<bob@blue.test>
        S: 250 ok
        C: DATA
        S: 354 go
        {CONTENT}
        S: 250 taken
    """
    assert await outcome(without, message(*paths)) == ["5.6.7", 250]


async def test_a_utf8_header_is_refused_where_smtputf8_is_missing() -> None:
    assert await outcome(PLAIN, message(requires=Form.UTF8 | Form.EIGHTBIT)) == ["5.6.7"]


async def test_a_utf8_sender_is_refused_where_smtputf8_is_missing() -> None:
    outgoing = Outgoing("用户@red.test", [To("bob@blue.test")], Text(b"x\r\n"))
    assert await outcome(PLAIN, outgoing) == ["5.6.7"]


async def test_eight_bits_are_converted_where_8bitmime_is_missing() -> None:
    script = f"""{PLAIN}
        C: MAIL FROM:<alice@red.test>
        S: 250 ok
        C: RCPT TO:<bob@blue.test>
        S: 250 ok
        C: DATA
        S: 354 go
        C: =C3=A9
        C: .
        S: 250 taken
    """
    outgoing = message(text="é\r\n".encode(), requires=Form.EIGHTBIT, plain=b"=C3=A9\r\n")
    assert await outcome(script, outgoing) == [250]


async def test_binary_goes_in_chunks_untouched() -> None:
    """Dots, NUL and bare newlines are counted and not looked at (RFC 3030 section 3)."""
    text = b".\n\0\r..\n\r\n"
    wire = MemoryWire("relay")
    client = Client(wire.channel, "me.test", QUICK)
    client.abilities = Abilities({"CHUNKING": "", "BINARYMIME": ""})
    sending = asyncio.ensure_future(client.send(message(text=text, requires=Form.BINARY | Form.EIGHTBIT)))
    asked = [b"MAIL FROM:<alice@red.test> BODY=BINARYMIME\r\n", b"RCPT TO:<bob@blue.test>\r\n"]
    asked += [b"BDAT 7\r\n" + text[:7], b"BDAT 2 LAST\r\n" + text[7:]]
    for each in asked:
        assert await wire.server_says(each[-2:]) == each
        wire.client_says(b"250 ok\r\n")
    assert [str(each) for each in (await sending).answers] == ["250 ok"]


async def test_a_chunk_that_is_refused_ends_the_message() -> None:
    script = f"""{ALL}
        C: MAIL FROM:<alice@red.test> SIZE=8 BODY=BINARYMIME
        C: RCPT TO:<bob@blue.test>
        S: 250 ok
        S: 250 ok
        C: BDAT 7
        C: 01234
        S: 552 5.2.2 full
        C: RSET
        S: 250 ok
    """
    assert await outcome(script, message(text=b"01234\r\n8", requires=Form.BINARY)) == [552]


async def test_binary_is_converted_where_it_is_not_taken() -> None:
    script = f"""{PIPELINING}
        C: MAIL FROM:<alice@red.test>
        C: RCPT TO:<bob@blue.test>
        C: DATA
        S: 250 ok
        S: 250 ok
        S: 354 go
        C: AAA=
        C: .
        S: 250 taken
    """
    assert await outcome(script, message(text=b"\0\0", requires=Form.BINARY, plain=b"AAA=\r\n")) == [250]


LHLO = """
    S: 220 here
    C: LHLO me.test
    S: 250-here
    S: 250 PIPELINING
    C: MAIL FROM:<alice@red.test>
    C: RCPT TO:<a@blue.test>
    C: RCPT TO:<b@blue.test>
    C: RCPT TO:<c@blue.test>
    C: DATA
    S: 250 ok
    S: 250 ok
    S: 550 5.1.1 no such user
    S: 250 ok
    S: 354 go
"""
THREE = ("a@blue.test", "b@blue.test", "c@blue.test")


@ways
async def test_lmtp_answers_for_each_recipient_after_the_dot(way: Way) -> None:
    script = f"""{LHLO}
        {CONTENT}
        S: 250 stored
        S: 452 4.2.2 full
    """
    assert await outcome(script, message(*THREE), lmtp=True, way=way) == [250, 550, 452]


async def test_lmtp_broken_off_keeps_the_answers_that_came() -> None:
    script = f"""{LHLO}
        {CONTENT}
        S: 250 stored
        close
    """
    assert await outcome(script, message(*THREE), lmtp=True) == [250, 550, None, "EndOfInput"]


async def test_no_line_end_gets_into_a_command() -> None:
    outgoing = Outgoing("alice@red.test", [To("bob@blue.test>\r\nDATA\r\n"), To("eve@blue.test")], Text(b"x\r\n"))
    script = f"""{PLAIN}
        C: MAIL FROM:<alice@red.test>
        S: 250 ok
        C: RCPT TO:<eve@blue.test>
        S: 550 no
        C: RSET
        S: 250 ok
    """
    assert await outcome(script, outgoing) == ["5.1.3", 550]


TIMED = """
    S: 220 here
    C: EHLO me.test
    S: 250-here
    S: 250-DELIVERBY 10,x
    S: 250 MT-PRIORITY MIXER
"""
GOES = f"""
    S: 250 ok
    C: RCPT TO:<bob@blue.test>
    S: 250 ok
    C: DATA
    S: 354 go ahead
    {CONTENT}
    S: 250 taken
"""


@pytest.mark.parametrize(
    ("by", "priority", "said"),
    [
        (By(10, "R"), 0, " BY=10;R"),
        (By(3_600, "RT"), -9, " BY=3600;RT MT-PRIORITY=-9"),
        (By(5, "N"), 9, " BY=5;N MT-PRIORITY=9"),
        (By(-60, "NT"), 0, " BY=-60;NT"),
        (By(-1_000_000_000, "N"), 0, " BY=-999999999;N"),
        (None, 4, " MT-PRIORITY=4"),
        (None, 0, ""),
    ],
)
async def test_time_left_and_priority_are_told_to_who_knows_of_them(by: By | None, priority: int, said: str) -> None:
    wishing = replace(message(), by=by, priority=priority)
    assert await outcome(f"{TIMED}\nC: MAIL FROM:<alice@red.test>{said}\n{GOES}", wishing) == [250]


async def test_who_knows_of_neither_hears_of_neither() -> None:
    wishing = replace(message(), by=By(60, "NT"), priority=4)
    assert await outcome(f"{PLAIN}\nC: MAIL FROM:<alice@red.test>\n{GOES}", wishing) == [250]


@pytest.mark.parametrize("hello", [PLAIN, TIMED])
@pytest.mark.parametrize("seconds", [9, 0, -1])
async def test_what_is_to_be_returned_goes_to_nobody_who_would_keep_it(hello: str, seconds: int) -> None:
    """Not to a host without DELIVERBY, nor to one that wants more time than is left (RFC 2852 section 4): nothing is said."""
    assert await outcome(hello, replace(message(), by=By(seconds, "R"))) == ["5.4.7"]


@pytest.mark.parametrize("seconds", [0, -1])
async def test_with_no_time_left_it_goes_to_nobody(seconds: int) -> None:
    """A time that is over is no time to be told with R (RFC 2852 section 4)."""
    hello = TIMED.replace("DELIVERBY 10,x", "DELIVERBY")
    assert await outcome(hello, replace(message(), by=By(seconds, "R"))) == ["5.4.7"]


async def test_by_lmtp_it_is_delivered_at_once() -> None:
    script = f"""
        S: 220 here
        C: LHLO me.test
        S: 250 here
        C: MAIL FROM:<alice@red.test>
        {GOES}
    """
    assert await outcome(script, replace(message(), by=By(1, "R")), lmtp=True) == [250]


@pytest.mark.parametrize(("hello", "keeps_time"), [(PLAIN, False), (TIMED, True)])
async def test_it_is_known_whether_the_host_keeps_the_time(hello: str, keeps_time: bool) -> None:
    async def act(client: Client) -> bool:
        await client.greet()
        return (await client.send(message())).keeps_time

    assert await play(f"{hello}\nC: MAIL FROM:<alice@red.test>\n{GOES}", act) is keeps_time
