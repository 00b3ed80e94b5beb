"""A private CA, and the certificate that it signs for this server (RFC 5280).

What exists is never overwritten, with one exception: the server's own certificate, when our CA signed it and it nears its
end or lacks a name. Its key stays.
"""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address, IPv6Address, ip_address
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from mailhost.cli.files import PUBLIC, write_new
from mailhost.config.problem import ConfigProblem
from mailhost.config.settings import Config
from mailhost.transport import certificate

CA_LIFE = timedelta(days=3650)
LEAF_LIFE = timedelta(days=397)
"""Apple's clients refuse more than 825 days of a private CA, browsers more than 398 of any."""
RENEW_BEFORE = timedelta(days=30)
CLOCK_SKEW = timedelta(days=1)
"""How late a client's clock may be."""


@dataclass(frozen=True, slots=True)
class Folder:
    """Where the four files are."""

    path: Path

    @property
    def ca(self) -> Path:
        """What a client is told to trust."""
        return self.path / "ca.crt"

    @property
    def ca_key(self) -> Path:
        return self.path / "ca.key"

    @property
    def certificate(self) -> Path:
        return self.path / "server.crt"

    @property
    def key(self) -> Path:
        return self.path / "server.key"


def ensure(folder: Folder, names: Sequence[str], now: datetime | None = None) -> None:
    """Make what is missing, renew what ends. Raises `ConfigProblem` when a file there is not what its name says."""
    now = now or datetime.now(UTC)
    folder.path.mkdir(mode=0o700, parents=True, exist_ok=True)
    if not folder.ca.exists():
        _make_ca(folder, now)
    if not folder.certificate.exists() or _is_due(folder, names, now):
        _sign(folder, names, now)


def names(host: str, domain: str) -> list[str]:
    """By which names a client may reach the server; clients guess mail., imap., pop. and smtp. of the domain."""
    guessed = [f"{service}.{domain}" for service in ("mail", "imap", "pop", "smtp")]
    return list(dict.fromkeys(["localhost", host, *guessed, "127.0.0.1", "::1"]))


def fingerprint(path: Path) -> str:
    """SHA-256 over the certificate, as clients show it."""
    return certificate.fingerprint(_read_certificate(path))


def renew(config: Config, now: datetime | None = None) -> None:
    """The server's certificate, where it is ours and due: at each start, and at SIGHUP. Else nothing is touched."""
    folder = Folder(config.tls.certificate.parent)
    if (config.tls.certificate, config.tls.key) != (folder.certificate, folder.key):
        return
    with suppress(
        OSError, ValueError
    ):  # what cannot be read, or written: `check` tells, or its end is spoken of in time
        if all(path.exists() for path in (folder.ca, folder.ca_key, folder.certificate, folder.key)):
            held = certificate.read(folder.certificate).names
            ensure(folder, list(dict.fromkeys([*held, config.server.host])), now)


def _make_ca(folder: Folder, now: datetime) -> None:
    key = _key(folder.ca_key)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "mailhost private CA")])
    signed = (
        x509.CertificateBuilder(
            name, name, key.public_key(), x509.random_serial_number(), now - CLOCK_SKEW, now + CA_LIFE
        )
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(ca=True), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )
    write_new(folder.ca, signed.public_bytes(serialization.Encoding.PEM), PUBLIC)


def _sign(folder: Folder, names: Sequence[str], now: datetime) -> None:
    ca, ca_key, key = _read_certificate(folder.ca), _key(folder.ca_key), _key(folder.key)
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, names[0][:64])])
    until = min(now + LEAF_LIFE, ca.not_valid_after_utc)
    signed = (
        x509.CertificateBuilder(
            ca.subject, subject, key.public_key(), x509.random_serial_number(), now - CLOCK_SKEW, until
        )
        .add_extension(x509.SubjectAlternativeName([_general(name) for name in names]), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(ca=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(ca_key.public_key()), critical=False)
        .sign(ca_key, hashes.SHA256())
    )
    fresh = folder.certificate.with_suffix(".new")
    fresh.unlink(missing_ok=True)
    write_new(fresh, signed.public_bytes(serialization.Encoding.PEM), PUBLIC)
    fresh.replace(folder.certificate)


def _is_due(folder: Folder, names: Sequence[str], now: datetime) -> bool:
    """Whether the certificate is ours to renew, and ends soon or lacks a name."""
    leaf, ca = _read_certificate(folder.certificate), _read_certificate(folder.ca)
    try:
        leaf.verify_directly_issued_by(ca)
    except (ValueError, InvalidSignature):
        return False  # somebody put a certificate of his own there
    held = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    return leaf.not_valid_after_utc - now < RENEW_BEFORE or any(_general(name) not in held for name in names)


def _usage(*, ca: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not ca,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=ca,
        crl_sign=ca,
        encipher_only=False,
        decipher_only=False,
    )


def _general(name: str) -> x509.GeneralName:
    address = _address(name)
    return x509.DNSName(name.encode("idna").decode()) if address is None else x509.IPAddress(address)


def _address(name: str) -> IPv4Address | IPv6Address | None:
    try:
        return ip_address(name)
    except ValueError:
        return None


def _key(path: Path) -> ec.EllipticCurvePrivateKey:
    """The key in a file, made if there is none. Raises `ConfigProblem`."""
    if not path.exists():
        fresh = ec.generate_private_key(ec.SECP256R1())
        write_new(path, fresh.private_bytes(*_PRIVATE))
    try:
        key = serialization.load_pem_private_key(path.read_bytes(), None)
    except (ValueError, TypeError):
        raise ConfigProblem(str(path), "", "is no private key in PEM without a passphrase") from None
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise ConfigProblem(str(path), "", "is no key on an elliptic curve")
    return key


_PRIVATE = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())


def _read_certificate(path: Path) -> x509.Certificate:
    try:
        return x509.load_pem_x509_certificate(path.read_bytes())
    except ValueError:
        raise ConfigProblem(str(path), "", "is no certificate in PEM") from None
