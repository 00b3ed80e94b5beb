"""Real answers of large hosts, row by row of the table, and what we say they mean."""

import re
import time
import tomllib
from importlib import resources

import pytest

from mailhost.relay.meanings import TABLE, Language, meaning, read_table

TOML = resources.files("mailhost.relay").joinpath("meanings.toml").read_text(encoding="utf-8")

SAID = [
    # Greylisting.
    (
        "450 4.2.0 <bob@blue.test>: Recipient address rejected: Greylisted, see http://postgrey.example/help",
        "greylisted",
    ),
    ("451 4.7.1 Greylisting in action, please come back later", "greylisted"),
    ("450 4.7.1 <bob@blue.test>: Grey-listed, please try again in 300 seconds", "greylisted"),
    # Too late.
    ("554 5.4.7 Message can't be delivered in time; 20 < 30", "too late"),
    ("550 4.4.7 QUEUE.Expired; message expired", "too late"),
    # Names of the server.
    (
        (
            "550 5.7.25 [192.0.2.1] The IP address sending this message does not have a PTR record setup, or the corresponding "
            "forward DNS entry does not point to the sending IP. gsmtp"
        ),
        "no reverse name",
    ),
    ("450 4.7.1 Client host rejected: cannot find your reverse hostname, [192.0.2.1]", "no reverse name"),
    ("550 5.7.1 <localhost>: Helo command rejected: Host not found", "no reverse name"),
    ("554 IMX01 bad reverse DNS entry for 192.0.2.1", "no reverse name"),
    # Checks of the sender's domain.
    (
        (
            "550 5.7.26 This mail has been blocked because the sender is unauthenticated. Gmail requires all senders to "
            "authenticate with either SPF or DKIM. gsmtp"
        ),
        "sender check failed",
    ),
    (
        (
            "550 5.7.1 Unauthenticated email from red.test is not accepted due to domain's DMARC policy. Please contact the "
            "administrator of red.test domain if this was a legitimate mail. gsmtp"
        ),
        "sender check failed",
    ),
    ("550 SPF check failed. https://service.mail.qq.com/detail/124/61", "sender check failed"),
    ("550 5.7.23 The message was rejected because of Sender Policy Framework violation", "sender check failed"),
    (
        "550 5.7.509 Access denied, sending domain red.test does not pass DMARC verification and has a policy of reject",
        "sender check failed",
    ),
    ("553 5.7.1 MI:SPF 163 mx1 AQAAf Sender SPF check failed", "sender check failed"),
    # Rates.
    (
        (
            "421 4.7.28 [192.0.2.1 15] Our system has detected an unusual rate of unsolicited mail originating from your IP "
            "address. To protect our users from spam, mail sent from your IP address has been temporarily rate limited."
        ),
        "too much at once",
    ),
    (
        "421 4.7.0 [TSS04] Messages from 192.0.2.1 temporarily deferred due to unexpected volume or user complaints",
        "too much at once",
    ),
    (
        "550 Ip frequency limited. http://service.mail.qq.com/cgi-bin/help?subtype=1&&id=20022&&no=1000725",
        "too much at once",
    ),
    ("451 RP:CEL 163 mx3,NsGowADX 1 http://mail.163.com/help/help_spam_16.htm", "too much at once"),
    (
        "550 5.4.5 Daily user sending limit exceeded. For more information on Gmail sending limits go to gsmtp",
        "too much at once",
    ),
    ("452 4.5.3 Too many recipients", "too much at once"),
    # Lists.
    (
        (
            "550 5.7.1 Unfortunately, messages from [192.0.2.1] weren't sent. Please contact your Internet service provider "
            "since part of their network is on our block list (S3140)."
        ),
        "listed",
    ),
    (
        "554 5.7.1 Service unavailable; Client host [192.0.2.1] blocked using zen.spamhaus.org; https://www.spamhaus.org/query/ip/192.0.2.1",
        "listed",
    ),
    (
        "553 5.7.1 [BL21] Connections will not be accepted from 192.0.2.1, because the ip is in Spamhaus's list",
        "listed",
    ),
    (
        "550 5.7.606 Access denied, banned sending IP [192.0.2.1]. To request removal from this list please visit https://sender.office.com/",
        "listed",
    ),
    ("550 Suspected spam ip https://open.work.weixin.qq.com/help?doc_id=13735", "listed"),
    ("421 HL:REP 163 mx4,Xxx: the IP's behaviours are abnormal http://mail.163.com/help/help_spam_16.htm", "listed"),
    # Recipients.
    (
        (
            "550 5.1.1 The email account that you tried to reach does not exist. Please try double-checking the recipient's "
            "email address for typos or unnecessary spaces. gsmtp"
        ),
        "unknown recipient",
    ),
    (
        "550 5.1.1 <bob@blue.test>: Recipient address rejected: User unknown in local recipient table",
        "unknown recipient",
    ),
    (
        "550 5.1.1 <bob@blue.test>: Recipient address rejected: User unknown in virtual mailbox table",
        "unknown recipient",
    ),
    ("550 5.5.0 Requested action not taken: mailbox unavailable (S2017062302).", "unknown recipient"),
    (
        "550 5.1.10 RESOLVER.ADR.RecipientNotFound; Recipient bob@blue.test not found by SMTP address lookup",
        "unknown recipient",
    ),
    (
        "550 5.4.1 Recipient address rejected: Access denied. [DB5EUR03FT022.eop-EUR03.prod.protection.outlook.com]",
        "unknown recipient",
    ),
    ("554 delivery error: dd This user doesn't have a yahoo.com account (bob@yahoo.com) [0]", "unknown recipient"),
    (
        "550 Mailbox not found. http://service.mail.qq.com/cgi-bin/help?subtype=1&&id=20022&&no=1000728",
        "unknown recipient",
    ),
    ("550 User not found: bob@163.com", "unknown recipient"),
    ("550 No such user here", "unknown recipient"),
    (
        "552 5.2.2 The recipient's inbox is out of storage space. Please direct the recipient to https://support.example gsmtp",
        "mailbox full",
    ),
    ("452 4.2.2 The email account that you tried to reach is over quota.", "mailbox full"),
    ("552 Requested mail action aborted: exceeded storage allocation: mailbox full", "mailbox full"),
    ("452 4.2.2 Mailbox full", "mailbox full"),
    ("550 5.2.1 The email account that you tried to reach is inactive. gsmtp", "mailbox disabled"),
    (
        "554 30 Sorry, your message to bob@yahoo.com cannot be delivered. This mailbox is disabled (554.30).",
        "mailbox disabled",
    ),
    # Logins.
    ("535 5.7.8 Error: authentication failed: UGFzc3dvcmQ6", "smarthost password"),
    (
        "535 Login Fail. Please enter your authorization code to login. More information in http://service.mail.qq.com/",
        "smarthost password",
    ),
    ("553 Mail from must equal authorized user", "smarthost sender"),
    ("501 mail from address must be same as authorization user", "smarthost sender"),
    ("530 5.7.0 Must issue a STARTTLS command first", "TLS needed"),
    ("538 5.7.11 Encryption required for requested authentication mechanism", "TLS needed"),
    ("530 5.7.0 Authentication Required. gsmtp", "relay denied"),
    ("553 authentication is required", "relay denied"),
    ("554 5.7.1 <bob@blue.test>: Relay access denied", "relay denied"),
    ("550 5.7.54 SMTP; Unable to relay recipient in non-accepted domain", "relay denied"),
    # Content.
    ("554 DT:SPM 163 mx20,PMCowA Mail rejected due to content", "content refused"),
    (
        "550 Mail content denied. http://service.mail.qq.com/cgi-bin/help?subtype=1&&id=20022&&no=1000726",
        "content refused",
    ),
    ("554 5.7.1 Message rejected as spam", "content refused"),
    (
        "552 5.7.0 This message was blocked because its content presents a potential security issue: virus. gsmtp",
        "content refused",
    ),
    (
        "550 5.7.1 [192.0.2.1] Our system has detected that this message is likely unsolicited mail. gsmtp",
        "content refused",
    ),
    # The rest.
    ("552 5.3.4 Message size exceeds fixed limit", "message too large"),
    ("552 5.2.3 Your message exceeded Google's message size limits. gsmtp", "message too large"),
    ("554 5.4.6 Too many hops", "loop"),
    ("554 5.4.14 Hop count exceeded - possible mail loop ATTR34", "loop"),
    ("553 5.6.7 Must declare SMTPUTF8 to send unicode address", "no UTF-8 addresses"),
    ("550 5.1.8 <a@red.test>: Sender address rejected: Domain not found", "sender not accepted"),
    ("450 4.1.8 <a@red.test>: Sender address rejected: Domain not found", "sender not accepted"),
    ("556 5.1.10 Recipient address has null MX", "domain takes no mail"),
    ("550 5.7.1 Delivery not authorized, message refused", "refused by rule"),
    ("550 5.7.133 RESOLVER.RST.SenderNotAuthenticatedForGroup; not allowed", "refused by rule"),
    ("451 4.3.0 Temporary lookup failure", "their trouble"),
    ("452 4.3.1 Insufficient system storage", "their trouble"),
    ("421 Service not available, closing transmission channel", "their trouble"),
    ("554 Transaction failed", "refused"),
    ("250 2.0.0 OK 1669370000 a1-20020a50ed41000000b0046b gsmtp", "taken"),
]
SILENT = [
    ("4.4.1", "cannot connect"),
    ("4.4.2", "connection broke off"),
    ("4.4.3", "DNS silent"),
    ("5.1.2", "no such domain"),
    ("5.1.10", "domain takes no mail"),
    ("5.4.4", "no mail host"),
    ("5.4.6", "loop"),
    ("5.0.0", "returned by hand"),
]


def status_of(reply: str) -> str:
    """As the client reads it: the enhanced code, or one made of the code."""
    found = re.match(r"\d{3} (\d\.\d+\.\d+) ", reply)
    return found[1] if found else f"{reply[0]}.0.0"


@pytest.mark.parametrize(("reply", "name"), SAID, ids=[reply[:50] for reply, _ in SAID])
def test_an_answer_has_its_meaning(reply: str, name: str) -> None:
    assert meaning(status_of(reply), reply).name == name


@pytest.mark.parametrize(("status", "name"), SILENT)
def test_where_no_host_has_spoken_the_status_tells(status: str, name: str) -> None:
    assert meaning(status, None).name == name


@pytest.mark.parametrize(
    ("reply", "step", "name"),
    [
        ("554 Denied", "end of content", "content refused"),
        ("554 No SMTP service here", "greeting", "listed"),
        ("535 5.7.8 Nope", "AUTH", "smarthost password"),
        ("550 Login denied", "AUTH", "smarthost password"),
        ("550 5.1.1 Nobody", "RCPT", "unknown recipient"),
    ],
)
def test_the_step_decides_where_the_words_do_not(reply: str, step: str, name: str) -> None:
    assert meaning(status_of(reply), reply, step).name == name


def test_every_row_is_reached() -> None:
    reached = {meaning(status_of(reply), reply).name for reply, _ in SAID} | {meaning(s, None).name for s, _ in SILENT}
    assert reached == {row.name for row in TABLE}
    assert len(reached) == len(TABLE)


@pytest.mark.parametrize("language", Language)
def test_every_text_is_in_every_language(language: Language) -> None:
    for row in tomllib.loads(TOML)["row"]:
        for column in ("says", "sender", "administrator"):
            assert set(row[column]) == set(Language), row["name"]
            text = row[column][language]
            assert text.endswith("." if language is Language.ENGLISH else "。"), text
            assert bool(re.search("[\u4e00-\u9fff]", text)) == (language is Language.CHINESE), text


def test_a_table_without_one_language_is_refused() -> None:
    lines = TOML.splitlines(keepends=True)
    at = next(place for place, line in enumerate(lines) if line.startswith("sender.zh"))
    with pytest.raises(KeyError):
        read_table("".join(lines[:at] + lines[at + 1 :]))


def test_the_check_that_failed_is_named() -> None:
    dmarc = meaning("5.7.1", "550 5.7.1 domain's DMARC policy", language=Language.CHINESE)
    assert "（DMARC）" in dmarc.text
    assert "(SPF or DKIM)" in meaning("5.7.26", "550 5.7.26 with either SPF or DKIM").text
    assert "(SPF or DKIM or DMARC)" in meaning("5.7.26", "550 5.7.26 unauthenticated").text


@pytest.mark.parametrize(
    "piece", ["mailbox ", "user ", "insufficient ", "ip ", "over quota ", "message too ", "a", "helo "]
)
def test_no_answer_is_long_to_look_at(piece: str) -> None:
    begun = time.process_time()
    meaning.__wrapped__("5.0.0", "550 " + piece * 500)
    assert time.process_time() - begun < 0.1
