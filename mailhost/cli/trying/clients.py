"""Three clients of Python's own: they send the message on trial, fetch it, and take it away again."""

import imaplib
import poplib
import re
import smtplib
import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from mailhost.cli.exits import EX_SOFTWARE, Failure
from mailhost.cli.trying.message import Trial
from mailhost.cli.trying.problems import Place, login_told

NEWEST = 50
"""Messages from the end of a maildrop that are looked at: others may come while this one is on its way."""
BY_TLS = frozenset({"submissions", "pop3s", "imaps"})
"""Listeners that speak TLS from the first octet."""
JOURNEY = re.compile(r"Accepted as ([0-9a-f]+)")


class _Named(ssl.SSLContext):
    """The server is reached by its address; its certificate is for a name."""

    name = ""

    def wrap_socket(
        self,
        sock: socket.socket,
        server_side: bool = False,
        do_handshake_on_connect: bool = True,
        suppress_ragged_eofs: bool = True,
        server_hostname: str | bytes | None = None,  # noqa: ARG002 - the address, which the certificate need not name
        session: ssl.SSLSession | None = None,
    ) -> ssl.SSLSocket:
        return super().wrap_socket(sock, server_side, do_handshake_on_connect, suppress_ragged_eofs, self.name, session)


def trusting(name: str, ca: Path) -> ssl.SSLContext:
    """Trusts the system's CAs, and the folder's own if there is one."""
    context = _Named(ssl.PROTOCOL_TLS_CLIENT)
    context.name = name
    context.load_default_certs()
    if ca.exists():
        context.load_verify_locations(ca)
    return context


# Submission.


@contextmanager
def smtp(place: Place, tls: ssl.SSLContext) -> Iterator[smtplib.SMTP]:
    if place.listener in BY_TLS:
        client: smtplib.SMTP = smtplib.SMTP_SSL(place.address, place.port, timeout=place.seconds, context=tls)
    else:
        client = smtplib.SMTP(place.address, place.port, timeout=place.seconds)
    try:
        if place.listener not in BY_TLS:
            client.starttls(context=tls)
        client.ehlo()
        yield client
        with suppress(smtplib.SMTPException, OSError):
            client.quit()
    finally:
        client.close()


def log_in(client: smtplib.SMTP, place: Place, user: str, password: str) -> None:
    """Raises `Failure`."""
    with login_told(place, user):
        client.login(user, password)


def send(client: smtplib.SMTP, sent: Trial) -> str:
    """Answers with the server's last words."""
    client.mail(sent.sender, ["BODY=8BITMIME"] if client.has_extn("8bitmime") else [])
    code, said = client.rcpt(sent.recipient)
    if code >= 300:
        raise smtplib.SMTPResponseException(code, said)
    code, said = client.data(sent.content)
    if code >= 300:
        raise smtplib.SMTPResponseException(code, said)
    return f"{code} {said.decode('utf-8', 'replace')}"


# POP3.


@contextmanager
def pop3(place: Place, tls: ssl.SSLContext, user: str, password: str) -> Iterator[poplib.POP3]:
    if place.listener in BY_TLS:
        client: poplib.POP3 = poplib.POP3_SSL(place.address, place.port, timeout=place.seconds, context=tls)
    else:
        client = poplib.POP3(place.address, place.port, timeout=place.seconds)
    try:
        if place.listener not in BY_TLS:
            client.stls(context=tls)
        with login_told(place, user):
            client.user(user)
            client.pass_(password)
        yield client
        client.quit()
    finally:
        client.close()


def find_by_pop3(client: poplib.POP3, sent: Trial) -> tuple[int, bytes]:
    """The number and the octets of the message. Raises `Failure`."""
    count = client.stat()[0]
    for number in range(count, max(count - NEWEST, 0), -1):
        if sent.message_id.encode() in _head(client, number):
            return number, _whole(client, number)
    raise Failure("POP3: the message is not in the maildrop, although the server has accepted it", EX_SOFTWARE)


def _head(client: poplib.POP3, number: int) -> bytes:
    try:
        return b"\r\n".join(client.top(number, 0)[1])
    except poplib.error_proto:  # TOP may be switched off
        return _whole(client, number)


def _whole(client: poplib.POP3, number: int) -> bytes:
    return b"".join(line + b"\r\n" for line in client.retr(number)[1])


# IMAP.


@contextmanager
def imap(place: Place, tls: ssl.SSLContext, user: str, password: str) -> Iterator[imaplib.IMAP4]:
    if place.listener in BY_TLS:
        client: imaplib.IMAP4 = imaplib.IMAP4_SSL(place.address, place.port, timeout=place.seconds, ssl_context=tls)
    else:
        client = imaplib.IMAP4(place.address, place.port, timeout=place.seconds)
    try:
        if place.listener not in BY_TLS:
            client.starttls(tls)
        with login_told(place, user):
            client.login(user, password)
        yield client
        with suppress(imaplib.IMAP4.error, OSError):
            client.logout()
    finally:
        with suppress(OSError):  # LOGOUT has closed it
            client.shutdown()


def find_by_imap(client: imaplib.IMAP4, sent: Trial) -> tuple[int, bytes]:
    """The UID and the octets of the message; it stays unseen. Raises `Failure`."""
    ask(client.select("INBOX"))
    found = ask(client.uid("SEARCH", "HEADER", "Message-ID", f'"{sent.message_id}"'))[0].split()
    if not found:
        raise Failure("IMAP: the message is not in INBOX, although the server has accepted it", EX_SOFTWARE)
    uid = int(found[-1])
    return uid, bytes(ask(client.uid("FETCH", str(uid), "(BODY.PEEK[])"))[0][1])


def delete_by_imap(client: imaplib.IMAP4, uid: int) -> bool:
    """By its UID, so that nothing else goes with it; answers whether the server has the command for that (RFC 4315)."""
    if "UIDPLUS" not in client.capabilities:
        return False
    ask(client.uid("STORE", str(uid), "+FLAGS.SILENT", r"(\Deleted)"))
    ask(client.uid("EXPUNGE", str(uid)))
    return True


def ask(answer: tuple[str, list[Any]]) -> list[Any]:
    """Raises imaplib's error for NO."""
    condition, data = answer
    if condition != "OK":
        raise imaplib.IMAP4.error(data[-1])
    return data
