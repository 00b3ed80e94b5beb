"""The server's certificate as its administrator should know it: for which names, until when, and with which key."""

import ssl
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes

from mailhost.config.problem import ConfigProblem
from mailhost.config.settings import TLS
from mailhost.transport.user import own_name

SOON = timedelta(days=14)
"""How long before its end a certificate is spoken of."""
RENEW = "put a new one there, then reload the server (SIGHUP)"


@dataclass(frozen=True, slots=True)
class Certificate:
    names: tuple[str, ...]
    ends: datetime
    fingerprint: str

    def covers(self, host: str) -> bool:
        """Whether a client that asks for `host` takes it; a "*" stands for one label (RFC 6125 section 6.4.3)."""
        wanted = _ascii(host)
        return any(name.lower() in (wanted, f"*.{wanted.partition('.')[2]}") for name in self.names)


def read(path: Path) -> Certificate:
    """The first certificate of a file in PEM. Raises ValueError, OSError."""
    found = x509.load_pem_x509_certificate(path.read_bytes())
    return Certificate(tuple(_names(found)), found.not_valid_after_utc, fingerprint(found))


def fingerprint(found: x509.Certificate) -> str:
    """SHA-256 over the certificate, as clients show it."""
    return found.fingerprint(hashes.SHA256()).hex(":").upper()


def check(tls: TLS) -> None:
    """Certificate and key are there and belong together. Raises `ConfigProblem` with the setting's name."""
    for key, path in (("tls.certificate", tls.certificate), ("tls.key", tls.key)):
        try:
            path.open("rb").close()
        except OSError as error:
            cure = (
                f"let {own_name()} read it"
                if isinstance(error, PermissionError)
                else "put your own there, or set where it is"
            )
            cure = f"{path} cannot be read: {error.strerror}; {cure}"
            raise ConfigProblem("", key, cure) from None
    try:
        read(tls.certificate)
    except ValueError:
        raise ConfigProblem("", "tls.certificate", f"{tls.certificate} is not a certificate in PEM") from None
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(tls.certificate, tls.key, password=lambda: "")
    except (ssl.SSLError, ValueError):
        cure = f"{tls.key} is not the key of this certificate; it must be in PEM, without a passphrase"
        raise ConfigProblem("", "tls.key", cure) from None


def warnings(tls: TLS, host: str, now: datetime | None = None) -> Iterator[ConfigProblem]:
    """What clients will not like, though the server can start with it. The certificate is one that `check` has taken."""
    found, now = read(tls.certificate), now or datetime.now(UTC)
    if ending := end(found, now):
        yield ConfigProblem("", "tls.certificate", f"{tls.certificate} {ending}; {RENEW}")
    if tls.key.stat().st_mode & 0o077:
        yield ConfigProblem("", "tls.key", f"{tls.key} can be read by others than the server: chmod 600 {tls.key}")
    if not found.covers(host):
        names = ", ".join(found.names) or "no name"
        yield ConfigProblem("", "tls.certificate", f"{tls.certificate} is for {names}, not for server.host {host}")


def end(found: Certificate, now: datetime) -> str:
    """In words, when it is over or soon will be; else nothing."""
    if found.ends <= now:
        return f"ended on {found.ends:%Y-%m-%d}"
    return f"ends on {found.ends:%Y-%m-%d}" if found.ends - now < SOON else ""


def _names(found: x509.Certificate) -> Iterator[str]:
    try:
        held = found.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return
    yield from held.get_values_for_type(x509.DNSName)
    yield from map(str, held.get_values_for_type(x509.IPAddress))


def _ascii(host: str) -> str:
    try:
        return host.encode("idna").decode().lower()
    except UnicodeError:
        return host.lower()
