"""Whatever fails on trial becomes one line with its cure, and a code of sysexits.h."""

import imaplib
import poplib
import smtplib
import ssl

import pytest

from mailhost.cli.exits import Failure
from mailhost.cli.trying.message import is_intact, trial
from mailhost.cli.trying.problems import Place, login_told, told

PLACE = Place("imaps", "127.0.0.1", 2531, "mail.example.org", 20.0)
SENT = trial("alice@example.org", "bob@example.org", "mail.example.org")


def untrusted(words: str) -> ssl.SSLCertVerificationError:
    problem = ssl.SSLCertVerificationError(words)
    problem.verify_message = words
    return problem


@pytest.mark.parametrize(
    ("problem", "code", "words"),
    [
        (ConnectionRefusedError(), 69, "nothing listens on 127.0.0.1 port 2531 (imaps); start it with mailhost run"),
        (TimeoutError(), 75, "no answer in 20 seconds"),
        (untrusted("Hostname mismatch"), 78, "set server.host to a name in it"),
        (untrusted("self-signed certificate"), 78, "put its certificate ca.crt beside"),
        (ssl.SSLError("odd"), 76, "TLS does not begin"),
        (imaplib.IMAP4.abort("gone"), 69, "the server hung up (gone)"),
        (EOFError(), 69, "the server hung up"),
        (ConnectionResetError(104, "reset"), 69, "the server hung up"),
        (smtplib.SMTPResponseException(452, b"4.2.2 full"), 75, "the server refused: 452 4.2.2 full"),
        (smtplib.SMTPResponseException(550, b"5.1.1 No such user here"), 69, "refused: 550 5.1.1 No such user here"),
        (poplib.error_proto(b"-ERR [IN-USE] taken"), 75, "another client has this maildrop open"),
        (poplib.error_proto(b"-ERR [SYS/TEMP] later"), 75, "-ERR [SYS/TEMP] later"),
        (imaplib.IMAP4.error(b"[UNAVAILABLE] later"), 75, "[UNAVAILABLE] later"),
        (imaplib.IMAP4.error(b"No such mailbox"), 69, "No such mailbox"),
    ],
)
def test_each_problem_has_its_code_and_its_cure(problem: Exception, code: int, words: str) -> None:
    with pytest.raises(Failure) as failed, told(PLACE, "mailhost.toml"):
        raise problem
    assert failed.value.code == code
    assert words in failed.value.message
    assert "\n" not in failed.value.message


@pytest.mark.parametrize(
    "problem",
    [
        smtplib.SMTPAuthenticationError(535, b"5.7.8 wrong"),
        poplib.error_proto(b"-ERR [AUTH] wrong"),
        imaplib.IMAP4.error(b"[AUTHENTICATIONFAILED] wrong"),
    ],
)
def test_a_refused_login_is_77_in_every_protocol(problem: Exception) -> None:
    with pytest.raises(Failure) as failed, told(PLACE, "mailhost.toml"), login_told(PLACE, "bob@example.org"):
        raise problem
    assert failed.value.code == 77
    assert "the login of bob@example.org was refused: " in failed.value.message
    assert failed.value.message.endswith("mailhost user passwd bob@example.org sets a new password")


@pytest.mark.parametrize(
    ("problem", "code"),
    [
        (poplib.error_proto(b"-ERR [IN-USE] taken"), 75),
        (poplib.error_proto(b"-ERR [SYS/TEMP] busy"), 75),
        (imaplib.IMAP4.abort("gone"), 69),
        (imaplib.IMAP4.error(b"[UNAVAILABLE] busy"), 75),
        (smtplib.SMTPAuthenticationError(454, b"4.7.0 busy"), 75),
    ],
)
def test_what_is_no_fault_of_the_password_is_not_told_as_one(problem: Exception, code: int) -> None:
    with pytest.raises(Failure) as failed, told(PLACE, "mailhost.toml"), login_told(PLACE, "bob@example.org"):
        raise problem
    assert failed.value.code == code
    assert "password" not in failed.value.message


@pytest.mark.parametrize(
    ("fetched", "intact"),
    [
        (SENT.content, False),  # a server adds Received
        (b"Received: by x\r\n\tfor y\r\n" + SENT.content, True),
        (b"Received: by x\r\n" + SENT.content + b"\r\n", False),
        (b"Received: by x\r\n" + SENT.content.replace(b"   \r\n", b"\r\n"), False),
        (b"Received: by x\r\n" + SENT.content.replace(b"\r\n..", b"\r\n."), False),
        (b"Received: by x\r\n\r\n" + SENT.content, False),
        (b"a line of somebody's\r\n" + SENT.content, False),
        (b"", False),
    ],
)
def test_a_message_is_intact_below_the_fields_that_the_server_adds(fetched: bytes, intact: bool) -> None:
    assert is_intact(fetched, SENT) is intact
