"""From the greeting to the first message: EHLO, HELO, STARTTLS, AUTH; and what a peer may say instead."""

import asyncio
import base64
import hashlib
import hmac
from dataclasses import dataclass

import pytest

from mailhost.smtp.client.client import Client, PlaintextBehindTLS
from mailhost.smtp.client.dialogue import Declined, OutOfStep, Timeouts
from mailhost.smtp.client.heard import NotSMTP
from mailhost.smtp.client.login import Account, LoginFailed
from mailhost.transport.channel import ChannelError, EndOfInput, TimedOut
from mailhost.transport.memory import MemoryWire
from tests.unit.smtp.client.peer import QUICK, Way, greet_and_send, message, play

ACCOUNT = Account("user", "pencil")


async def greet(client: Client) -> dict[str, str]:
    await client.greet()
    return dict(client.abilities.extensions)


async def test_ehlo_tells_the_abilities_in_any_case() -> None:
    script = """
        S: 220-many
        S: 220 words
        C: EHLO me.test
        S: 250-blue.test at your service
        S: 250-size 1000
        S: 250-Auth=LOGIN
        S: 250-AUTH PLAIN
        S: 250 limits rcptmax=5 MAILMAX=2 RcptDomainMax=1
    """

    async def act(client: Client) -> tuple[object, ...]:
        await client.greet()
        able = client.abilities
        return able.most_octets, able.most_recipients, able.most_transactions, able.most_domains, able.mechanisms

    assert await play(script, act) == (1000, 5, 2, 1, {"PLAIN", "LOGIN"})


@pytest.mark.parametrize("way", Way)
async def test_helo_where_ehlo_is_not_known(way: Way) -> None:
    script = """
        S: 220 here
        C: EHLO me.test
        S: 502 what
        C: HELO me.test
        S: 250 hello
    """
    assert await play(script, greet, way=way) == {}


async def test_helo_at_once_for_a_peer_that_hung_up_at_ehlo() -> None:
    script = """
        S: 220 here
        C: HELO me.test
        S: 250 hello
    """
    assert await play(script, greet, extended=False) == {}


@pytest.mark.parametrize(
    ("script", "problem"),
    [
        ("S: 554 no mail here", Declined),
        ("S: 421 later", Declined),
        ("S: HTTP/1.1 400 Bad Request", NotSMTP),
        ("S: 220-here\nS: 250 there", NotSMTP),
        ("S: 120 soon", NotSMTP),
        ("close", EndOfInput),
        ("S: 220 here\nC: EHLO me.test\nclose", EndOfInput),
        ("S: 220 here\nC: EHLO me.test\nS: 421 busy", Declined),
        ("S: 220 here\nC: EHLO me.test\nS: 500 what\nC: HELO me.test\nS: 501 no", Declined),
        ("S: 220 " + "x" * 5_000, NotSMTP),
        ("\n".join(["S: 220-x"] * 300), NotSMTP),
        ("\n".join(["S: 220-" + "x" * 4_000] * 20), NotSMTP),
    ],
)
@pytest.mark.parametrize("way", Way)
async def test_what_is_no_greeting(script: str, problem: type[Exception], way: Way) -> None:
    with pytest.raises(problem):
        await play(script, greet, way=way)


async def test_a_reply_behind_the_greeting_is_no_answer_to_ehlo() -> None:
    with pytest.raises(OutOfStep):
        await play("S: 220 here\nS: 250 and this", greet)


async def test_an_endless_line_is_given_up_early() -> None:
    wire = MemoryWire("relay")
    greeting = asyncio.ensure_future(Client(wire.channel, "me.test", QUICK).greet())
    for _ in range(10):
        wire.client_says(b"220 " + b"x" * 1_000)
        await asyncio.sleep(0)
    with pytest.raises(NotSMTP):
        await greeting


async def test_a_peer_that_trickles_is_bounded_by_the_whole_reply() -> None:
    """A line each moment: no single wait is long, all of them together are."""
    wire = MemoryWire("relay")
    greeting = asyncio.ensure_future(Client(wire.channel, "me.test", Timeouts(greeting=0.1)).greet())
    while not greeting.done():
        wire.client_says(b"220-x\r\n")
        await asyncio.sleep(0.01)
    with pytest.raises(TimedOut):
        await greeting


@pytest.mark.parametrize("step", ["greeting", "EHLO", "MAIL", "RCPT", "DATA", "content", "end of content"])
async def test_silence_at_each_step_is_told_with_it(step: str) -> None:
    """Bounded by that step's own time."""
    said = {
        "greeting": b"220 x\r\n",
        "EHLO": b"250 x\r\n",
        "MAIL": b"250 x\r\n",
        "RCPT": b"250 x\r\n",
        "DATA": b"354 x\r\n",
    }
    waits = {"greeting": "greeting", "DATA": "data", "end of content": "end", "content": "block"}
    wire = MemoryWire("relay")
    client = Client(wire.channel, "me.test", Timeouts(**{waits.get(step, "command"): 0.05}))
    if step == "content":
        wire.channel.stop_writing()
        wire.channel.go_on_writing()

    async def talk() -> object:
        return await greet_and_send(client, message())

    talking = asyncio.ensure_future(talk())
    for name, reply in said.items():
        if name == step:
            break
        await wire.server_says(b"\r\n") if name != "greeting" else None
        if name == "DATA" and step == "content":
            wire.channel.stop_writing()
        wire.client_says(reply)
    try:
        assert await talking == [None, "TimedOut"]
    except TimedOut:
        assert step in ("greeting", "EHLO")
    assert client.step == step


async def test_a_message_is_bounded_as_a_whole() -> None:
    wire = MemoryWire("relay")
    client = Client(wire.channel, "me.test", Timeouts(message=0.1))
    sending = asyncio.ensure_future(client.send(message()))
    while not sending.done():
        wire.client_says(b"250-x\r\n")
        await asyncio.sleep(0.01)
    assert isinstance((await sending).broken, ChannelError)


# STARTTLS


async def start_tls(client: Client) -> dict[str, str]:
    await client.greet()
    await client.start_tls()
    return dict(client.abilities.extensions)


OFFERED = """
    S: 220 here
    C: EHLO me.test
    S: 250-here
    S: 250-SIZE 5
    S: 250 STARTTLS
    C: STARTTLS
"""


async def test_after_starttls_what_was_said_in_clear_is_forgotten() -> None:
    script = f"""{OFFERED}
        S: 220 go
        TLS
        C: EHLO me.test
        S: 250-here
        S: 250 DSN
    """
    assert await play(script, start_tls) == {"DSN": ""}


@pytest.mark.parametrize("injected", ["250 x", "250-x\r\n250 AUTH PLAIN", "5"])
async def test_replies_in_clear_behind_starttls_are_no_replies(injected: str) -> None:
    """CVE-2011-0411 the other way round: TLS does not even begin."""
    wire = MemoryWire("relay")
    starting = asyncio.ensure_future(start_tls(Client(wire.channel, "me.test", QUICK)))
    wire.client_says(b"220 here\r\n")
    await wire.server_says(b"\r\n")
    wire.client_says(b"250-here\r\n250 STARTTLS\r\n")
    await wire.server_says(b"\r\n")
    wire.client_says(f"220 go\r\n{injected}".encode())
    with pytest.raises(PlaintextBehindTLS):
        await starting
    assert wire.tls_started == 0


@pytest.mark.parametrize("reply", ["454 not now", "502 what", "421 bye", "250 hm"])
async def test_starttls_declined(reply: str) -> None:
    with pytest.raises(Declined, match="STARTTLS"):
        await play(f"{OFFERED}\nS: {reply}", start_tls)


# AUTH


async def log_in(client: Client) -> None:
    await client.greet()
    await client.log_in(ACCOUNT)


def offering(mechanisms: str) -> str:
    return f"S: 220 here\nC: EHLO me.test\nS: 250-here\nS: 250 AUTH {mechanisms}\n"


PLAIN = base64.b64encode(b"\0user\0pencil").decode()


async def test_plain_and_login() -> None:
    await play(f"{offering('LOGIN PLAIN XOAUTH2')}C: AUTH PLAIN {PLAIN}\nS: 235 welcome", log_in)
    script = f"{offering('LOGIN')}C: AUTH LOGIN\nS: 334 VXNlcm5hbWU6\nC: dXNlcg==\nS: 334 UGFzc3dvcmQ6\nC: cGVuY2ls\nS: 235 ok"
    await play(script, log_in)


@pytest.mark.parametrize("reply", ["535 5.7.8 wrong", "550 no", "334 x"])
async def test_a_password_that_is_refused(reply: str) -> None:
    with pytest.raises(LoginFailed) as failed:
        await play(f"{offering('PLAIN')}C: AUTH PLAIN {PLAIN}\nS: {reply}", log_in)
    assert "pencil" not in repr(failed.value)
    assert failed.value.heard is not None


async def test_a_login_that_does_not_work_just_now() -> None:
    with pytest.raises(Declined, match="454"):
        await play(f"{offering('PLAIN')}C: AUTH PLAIN {PLAIN}\nS: 454 4.7.0 later", log_in)


async def test_another_mechanism_where_the_host_asks_for_it() -> None:
    script = f"{offering('PLAIN LOGIN')}C: AUTH PLAIN {PLAIN}\nS: 504 5.5.4 not this\nC: AUTH LOGIN\nS: 235 fine"
    await play(script, log_in)


async def test_no_mechanism_that_we_know() -> None:
    with pytest.raises(LoginFailed, match="GSSAPI"):
        await play(offering("GSSAPI NTLM"), log_in)


@dataclass
class Watched:
    seen: list[bytes]

    def said(self, line: bytes) -> None:
        self.seen.append(b"us " + line)

    def heard(self, line: bytes) -> None:
        self.seen.append(b"them " + line)

    def sent(self, octets: bytes) -> None:
        self.seen.append(octets)


async def test_passwords_are_masked_for_whoever_watches() -> None:
    seen: list[bytes] = []

    async def act(client: Client) -> None:
        client.dialogue.watch = Watched(seen)
        await log_in(client)

    await play(f"{offering('PLAIN')}C: AUTH PLAIN {PLAIN}\nS: 235 ok", act)
    assert seen[-2:] == [b"us AUTH PLAIN ***", b"them 235 ok"]
    assert "pencil" not in repr(ACCOUNT)


def server_final(first: str, server: str, without_proof: str, rounds: int) -> tuple[str, str]:
    """The proof that a client must send and the server's own, as RFC 5802 section 3 has them; not with our code."""
    fields = dict(part.split("=", 1) for part in server.split(","))
    salted = hashlib.pbkdf2_hmac("sha256", b"pencil", base64.b64decode(fields["s"]), rounds)
    client_key = hmac.new(salted, b"Client Key", "sha256").digest()
    signed = f"{first},{server},{without_proof}".encode()
    signature = hmac.new(hashlib.sha256(client_key).digest(), signed, "sha256").digest()
    proof = base64.b64encode(bytes(a ^ b for a, b in zip(client_key, signature, strict=True))).decode()
    verifier = hmac.new(hmac.new(salted, b"Server Key", "sha256").digest(), signed, "sha256").digest()
    return proof, "v=" + base64.b64encode(verifier).decode()


def coded(text: str) -> bytes:
    return base64.b64encode(text.encode())


async def scram(rounds: int = 4096, *, forge: bool = False, extra: str = "server") -> list[bytes]:
    """A login by SCRAM against a server written here; answers with what the client said."""
    wire = MemoryWire("relay")
    logging_in = asyncio.ensure_future(log_in(Client(wire.channel, "me.test", QUICK)))
    wire.client_says(b"220 here\r\n")
    await wire.server_says(b"\r\n")
    wire.client_says(b"250-here\r\n250 AUTH PLAIN SCRAM-SHA-256\r\n")
    said = [await wire.server_says(b"\r\n")]
    assert said[0].startswith(b"AUTH SCRAM-SHA-256 ")
    first = base64.b64decode(said[0].split()[2]).decode().removeprefix("n,,")
    nonce = first.split("r=")[1] + extra
    server = f"r={nonce},s={coded('salt').decode()},i={rounds}"
    wire.client_says(b"334 " + coded(server) + b"\r\n")
    done = asyncio.ensure_future(wire.server_says(b"\r\n"))
    await asyncio.wait([done, logging_in], return_when=asyncio.FIRST_COMPLETED)
    if not logging_in.done():
        said.append(await done)
        final = base64.b64decode(said[1]).decode()
        without_proof, proof = final.rsplit(",p=", 1)
        expected, verifier = server_final(first, server, without_proof, rounds)
        assert proof == expected
        assert without_proof == f"c=biws,r={nonce}"
        wire.client_says(b"334 " + coded("v=AAAA" if forge else verifier) + b"\r\n")
        done = asyncio.ensure_future(wire.server_says(b"\r\n"))
        await asyncio.wait([done, logging_in], return_when=asyncio.FIRST_COMPLETED)
        if not logging_in.done():
            assert await done == b"\r\n"
            wire.client_says(b"235 welcome\r\n")
    done.cancel()
    await logging_in
    return said


async def test_scram_proves_the_password_without_telling_it() -> None:
    said = await scram()
    assert all(b"pencil" not in base64.b64decode(line.split()[-1]) for line in said)


@pytest.mark.parametrize(
    ("how", "why"),
    [
        ({"forge": True}, "could not prove"),
        ({"rounds": 1}, "rounds"),
        ({"rounds": 900_000_000}, "rounds"),
        ({"extra": ""}, "none of SCRAM"),
    ],
)
async def test_scram_with_a_server_that_cheats(how: dict[str, object], why: str) -> None:
    with pytest.raises(LoginFailed, match=why):
        await scram(**how)  # type: ignore[arg-type]


async def test_scram_as_the_rfc_prints_it() -> None:
    """RFC 7677 section 3."""
    from mailhost.sasl.scram import ScramClient

    client = ScramClient("user", "pencil", b"rOprNGfwEbeRWgbNEkqO")
    assert client.first() == b"n,,n=user,r=rOprNGfwEbeRWgbNEkqO"
    first = client.read(b"r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096")
    final = client.final(first)
    assert final.message == (
        b"c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ="
    )
    client.check(final, b"v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=")
