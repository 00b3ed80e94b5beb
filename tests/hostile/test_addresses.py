"""Addresses: corner cases, ways to make a stranger relay, names that are asked for; CVE-2020-10967, CVE-2019-19722."""

import pytest

from tests.hostile.talk import Client, b64, deliver, hello, imap, messages_of, pop3, submitted, submitting
from tests.service import Server

pytestmark = pytest.mark.service

BOB = "bob@example.org"
NO_ADDRESSES = [
    '""@example.org', '"@example.org', '"a@example.org', '"a"b@example.org', "@example.org", "bob@", "bob", "@", "",
    "bob@@example.org", "a@bob@example.org", "bob@example..org", "bob@.example.org", "bob@-example.org", "bob@[",
    "bob@[]", "bob@[1.2.3]", "bob@[999.1.1.1]", "bob@[IPv6:zz]", "bob@[IPv6:::1%eth0]", "b ob@example.org",
    "bob(comment)@example.org", "bob@example.org(comment)", "Group: bob@example.org;", "undisclosed-recipients:;",
    "Bob <bob@example.org>", "bob@example.org,alice@example.org", "bob@example.org>", "x" * 250 + "@example.org",
    "bob@" + "x" * 64 + ".org", "bob@example.org\t\t@", "bob\\@example.org", "bob@exa_mple..org", "<bob@example.org>",
]  # fmt: skip
"""What is between the angle brackets."""
RELAYS = [
    "eve@elsewhere.test", "bob%elsewhere.test@elsewhere.test", "@example.org:eve@elsewhere.test", "@a,@b:eve@elsewhere.test",
    '"bob@example.org"@elsewhere.test', "elsewhere.test!eve@elsewhere.test", "eve@[192.0.2.1]", "eve@[127.0.0.1]",
    "eve@[IPv6:::1]", "eve@example.org.elsewhere.test", "eve@example.org.", "eve@sub.example.org", "eve@localhost.",
]  # fmt: skip
NOBODY_HERE = [
    "eve%elsewhere.test@example.org", '"eve@elsewhere.test"@example.org', "elsewhere.test!eve@example.org", "bob'@example.org",
    "@elsewhere.test:nobody@example.org", '"bob "@example.org', "bob%@example.org", "_ob@example.org", "*@example.org", "+x@example.org",
    "nobody+bob@example.org", '"bob\\\\"@example.org', "b.o.b@example.org", "' OR 1=1 --@example.org".replace(" ", ""),
]  # fmt: skip
BOBS = [
    BOB, "BOB@EXAMPLE.ORG", '"bob"@example.org', '"\\b\\o\\b"@example.org', "bob+tag@example.org", "@elsewhere.test:bob@example.org",
    "@a.test,@b.test:bob@example.org", "bob@example.org.", "bob@Example.Org",
]  # fmt: skip


def rcpt(client: Client, address: str) -> bytes:
    return client.ask(f"RCPT TO:<{address}>\r\n".encode())


@pytest.mark.parametrize("address", NO_ADDRESSES)
def test_what_is_no_address_gets_501_and_the_transaction_goes_on(victim: Server, address: str) -> None:
    with hello(victim) as client:
        if address:  # an empty reverse-path is one
            assert client.ask(f"MAIL FROM:<{address}>\r\n".encode()).startswith(b"501 5.5.4 ")
        assert client.ask(b"MAIL FROM:<>\r\n").startswith(b"250 ")
        assert rcpt(client, address).startswith(b"501 5.5.4 ")
        assert rcpt(client, BOB).startswith(b"250 ")


@pytest.mark.parametrize("sender", ["", "eve@elsewhere.test", "alice@example.org", "bob@example.org"])
def test_nobody_relays_without_a_login(victim: Server, sender: str) -> None:
    """RFC 5321 section 7.2: whatever the sender says it is."""
    with hello(victim) as client:
        assert client.ask(f"MAIL FROM:<{sender}>\r\n".encode()).startswith(b"250 ")
        for address in RELAYS:
            said = rcpt(client, address)
            assert said.startswith((b"550 5.7.1 ", b"550 5.1.1 ", b"501 5.5.4 ")), (address, said)
        for address in NOBODY_HERE:
            said = rcpt(client, address)
            assert said.startswith((b"550 5.1.1 ", b"501 5.5.4 ")), (address, said)
        assert client.ask(b"DATA\r\n").startswith(b"503 5.5.1 ")


def test_without_a_login_the_submission_ports_take_nothing(victim: Server) -> None:
    with submitting(victim) as client:
        for sender in ("", "alice@example.org", "eve@elsewhere.test"):
            assert client.ask(f"MAIL FROM:<{sender}>\r\n".encode()).startswith(b"530 5.7.0 ")
        assert rcpt(client, BOB).startswith(b"503 5.5.1 ")


def test_a_login_sends_as_nobody_else(victim: Server) -> None:
    with submitted(victim) as client:
        for sender in (
            "bob@example.org",
            "eve@elsewhere.test",
            '"alice@example.org"@elsewhere.test',
            "alice%x@example.org",
        ):
            assert client.ask(f"MAIL FROM:<{sender}>\r\n".encode()).startswith(b"553 5.7.1 "), sender
        for sender in ("alice@example.org", "@x:alice@EXAMPLE.org", '"alice"@example.org', "alice+shop@example.org"):
            assert client.ask(f"MAIL FROM:<{sender}>\r\n".encode()).startswith(b"250 "), sender
            assert client.ask(b"RSET\r\n").startswith(b"250 ")


def test_all_spellings_of_one_mailbox_reach_it(victim: Server) -> None:
    before = messages_of(victim, BOB)
    for spelling in BOBS:
        assert deliver(victim, b"Subject: spelt\r\n\r\n" + spelling.encode(), spelling).startswith(b"250 "), spelling
    assert messages_of(victim, BOB) == before + len(BOBS)


def test_a_domain_is_one_in_either_spelling(victim: Server) -> None:
    """A U-label and its A-label are the same elsewhere, to which nobody relays (RFC 5890 section 2.3.2.1)."""
    with hello(victim) as client:
        assert client.ask(b"MAIL FROM:<> SMTPUTF8\r\n").startswith(b"250 ")
        for domain in ("b\u00fccher.test", "xn--bcher-kva.test", "B\u00dcCHER.test", "XN--BCHER-KVA.test"):
            assert rcpt(client, f"bob@{domain}").startswith(b"550 5.7.1 "), domain
        assert rcpt(client, "bob@ex\u0430mple.org").startswith(b"550 5.7.1 ")  # a Cyrillic letter is another domain
        assert rcpt(client, "bob@\u202eexample.org").startswith(b"501 5.5.4 ")
        for invisible in ("example.org\u200b", "e\u00adxample.org"):  # IDNA maps them to nothing: it is our own domain
            assert rcpt(client, f"bob@{invisible}").startswith(b"250 "), invisible


def test_utf8_that_is_cut_anywhere_is_no_address(victim: Server) -> None:
    whole = "\u53d1\u7968\U0001f4ec".encode()
    with hello(victim) as client:
        assert client.ask(b"MAIL FROM:<>\r\n").startswith(b"250 ")
        for cut in (1, 2, 4, 5, 7, 8, 9):
            for path in (whole[:cut] + b"@example.org", b"bob@" + whole[:cut] + b".test"):
                said = client.ask(b"RCPT TO:<" + path + b">\r\n")
                assert said.startswith(b"501 5.5.4 "), path
                assert client.ask(b"NOOP\r\n").startswith(b"250 ")
        assert client.ask(b"EHLO " + whole[:1] + b"\r\n")[:4] in (b"250 ", b"501 ")


def test_names_are_not_told_to_who_asks(victim: Server) -> None:
    """RFC 5321 section 7.3; RCPT is the exception, or there would be backscatter."""
    with hello(victim) as client:
        for verb in (b"VRFY", b"EXPN"):
            said = {
                client.ask(b"%b %b\r\n" % (verb, name))
                for name in (b"bob", b"nobody", b"bob@example.org", b"'", b"<x>")
            }
            assert len(said) == 1, said
            assert said.pop().startswith((b"252 ", b"502 "))


NAMES = [
    "alice@example.org",
    "nobody@example.org",
    "alice@elsewhere.test",
    "alice",
    "nobody",
    "",
    "alice@",
    "@example.org",
]


def test_a_wrong_login_says_the_same_of_everybody(victim: Server) -> None:
    """In each protocol, whatever there is of the user; a name without its domain included."""
    said: dict[str, set[bytes]] = {"smtp": set(), "pop3": set(), "imap": set(), "sasl": set()}
    for name in filter(None, NAMES):
        with submitting(victim) as client:
            said["smtp"].add(client.ask(b"AUTH PLAIN " + b64(f"\0{name}\0wrong") + b"\r\n"))
        with pop3(victim, login=False) as client:
            assert client.ask(f"USER {name}\r\n".encode()) == b"+OK Send the password\r\n"
            said["pop3"].add(client.ask(b"PASS wrong\r\n"))
        with imap(victim, login=False) as client:
            said["imap"].add(client.tagged(f'a LOGIN "{name}" wrong\r\n'.encode()))
            said["sasl"].add(client.tagged(b"b AUTHENTICATE PLAIN " + b64(f"\0{name}\0wrong") + b"\r\n"))
    assert {name: len(each) for name, each in said.items()} == {"smtp": 1, "pop3": 1, "imap": 1, "sasl": 1}
    assert all(b"the user is the full address" in each for each in set.union(*said.values()))
    assert "user name without a domain: in the client it is the full address" in victim.log()


def test_a_header_full_of_addresses_that_are_none_is_served(victim: Server) -> None:
    """Groups, comments, routes, an empty quoted local part: ENVELOPE has what can be read, and stays well-formed."""
    fields = [
        *NO_ADDRESSES,
        *RELAYS,
        "a:b:c;",
        "(((",
        '"',
        "<>",
        "<<a@b>>",
        "a:;b:;",
        "@",
        ",,,,",
        ":;:;",
        "<a@b",
        '""@x',
        "a@b (c (d",
    ]
    content = b"".join(b"To: %b\r\nFrom: %b\r\n\r\n" % (each.encode(), each.encode()) for each in fields)
    assert deliver(victim, content, "alice@example.org").startswith(b"250 ")
    with imap(victim, selected="INBOX") as client:
        for each in fields:
            header = b"From: %b\r\nTo: %b\r\nReply-To: %b\r\n\r\n" % ((each.encode(),) * 3)
            assert deliver(victim, header, "alice@example.org").startswith(b"250 ")
        client.tagged(b"a NOOP\r\n")
        said = client.whole(b"b FETCH 1:* ENVELOPE\r\n")
        assert said.rpartition(b"\n")[2].startswith(b"b OK")
        assert said.count(b"FETCH (ENVELOPE (") >= len(fields)
        assert client.tagged(b"c STORE 1:* +FLAGS.SILENT (\\Deleted)\r\n").startswith(b"c OK")
        assert client.tagged(b"d CLOSE\r\n").startswith(b"d OK")
