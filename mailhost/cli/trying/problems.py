"""What may go wrong on trial: the step that failed, the server's own words, and the cure."""

import imaplib
import poplib
import smtplib
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from mailhost.cli.exits import EX_CONFIG, EX_NOPERM, EX_PROTOCOL, EX_TEMPFAIL, EX_UNAVAILABLE, Failure

NO_FAULT = ("SYS/TEMP", "IN-USE", "UNAVAILABLE")
"""Response codes of a refusal that has nothing to do with the password (RFC 3206 section 4, RFC 2449 section 8.1.2, RFC 5530 section 3)."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a step goes: an enabled listener."""

    listener: str
    address: str
    port: int
    name: str
    """By which the certificate must call the server."""
    seconds: float
    """How long one answer may take."""

    def __str__(self) -> str:
        return f"{self.address} port {self.port} ({self.listener})"


@contextmanager
def told(place: Place, config: str) -> Iterator[None]:
    """Raises `Failure` for whatever the network or the server refuses."""
    try:
        yield
    except ConnectionRefusedError:
        raise _failure(f"nothing listens on {place}; start it with mailhost run --config {config}") from None
    except ssl.SSLCertVerificationError as problem:
        raise _untrusted(place, problem) from None
    except ssl.SSLError as problem:
        raise Failure(
            f"{place}: TLS does not begin: {getattr(problem, 'reason', None) or problem}", EX_PROTOCOL
        ) from None
    except TimeoutError:
        text = f"{place}: no answer in {place.seconds:.0f} seconds; look into the server's log"
        raise Failure(text, EX_TEMPFAIL) from None
    except (smtplib.SMTPServerDisconnected, imaplib.IMAP4.abort, EOFError, ConnectionError) as problem:
        raise _failure(f"{place}: the server hung up ({_words(problem)}); look into its log") from None
    except (smtplib.SMTPException, poplib.error_proto, imaplib.IMAP4.error) as problem:
        raise _refused(place, problem) from None


@contextmanager
def login_told(place: Place, user: str) -> Iterator[None]:
    """Raises `Failure` for a login that the server refuses."""
    try:
        yield
    except (smtplib.SMTPAuthenticationError, poplib.error_proto, imaplib.IMAP4.error) as problem:
        words = _words(problem)
        if isinstance(problem, imaplib.IMAP4.abort) or words.startswith("4") or any(map(words.__contains__, NO_FAULT)):
            raise
        cure = f"user enable {user} lets it in" if "disabled" in words else f"user passwd {user} sets a new password"
        text = f"{place}: the login of {user} was refused: {words}; mailhost {cure}"
        raise Failure(text, EX_NOPERM) from None


def _untrusted(place: Place, problem: ssl.SSLCertVerificationError) -> Failure:
    """The name by which the server calls itself must stand in the certificate."""
    is_name = "mismatch" in problem.verify_message.lower() or "not valid for" in problem.verify_message.lower()
    cure = (
        "set server.host to a name in it, or take a certificate for this name"
        if is_name
        else "for a private CA put its certificate ca.crt beside the server's own (tls.certificate)"
    )
    text = f"{place}: the certificate is not trusted for {place.name}: {problem.verify_message}; {cure}"
    return Failure(text, EX_CONFIG)


def _refused(place: Place, problem: Exception) -> Failure:
    words = _words(problem)
    if "IN-USE" in words:
        return Failure(f"{place}: another client has this maildrop open; try again when it has left", EX_TEMPFAIL)
    is_temporary = "SYS/TEMP" in words or "UNAVAILABLE" in words or words.startswith("4")
    return Failure(f"{place}: the server refused: {words}", EX_TEMPFAIL if is_temporary else EX_UNAVAILABLE)


def _failure(text: str) -> Failure:
    return Failure(text, EX_UNAVAILABLE)


def _words(problem: Exception) -> str:
    """What the server said, as far as the library kept it."""
    if isinstance(problem, smtplib.SMTPRecipientsRefused):
        return "; ".join(f"{code} {_text(said)}" for code, said in problem.recipients.values())
    if isinstance(problem, smtplib.SMTPResponseException):
        return f"{problem.smtp_code} {_text(problem.smtp_error)}"
    return " ".join(_text(each) for each in problem.args)


def _text(said: object) -> str:
    text = said.decode("utf-8", "replace") if isinstance(said, bytes) else str(said)
    return " ".join(text.split())
