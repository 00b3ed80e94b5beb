"""A private CA and a certificate that strict clients accept; nothing of it is overwritten."""

import hashlib
import ssl
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address, IPv6Address, ip_address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.verification import PolicyBuilder, Store, VerificationError

from mailhost.cli.authority import Folder, ensure, fingerprint, renew
from mailhost.config.problem import ConfigProblem
from mailhost.config.settings import TLS, Config, Server
from mailhost.transport import certificate

NAMES = ["localhost", "mail.example.org", "127.0.0.1", "::1"]
NOW = datetime(2026, 5, 1, tzinfo=UTC)


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Folder]:
    folder = Folder(tmp_path / "tls")
    ensure(folder, NAMES, NOW)
    yield folder


def contents(folder: Folder) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.path.iterdir()}


def verify(folder: Folder, name: str, at: datetime = NOW) -> None:
    ca, leaf = (x509.load_pem_x509_certificate(path.read_bytes()) for path in (folder.ca, folder.certificate))
    subject = x509.IPAddress(ip) if (ip := as_ip(name)) else x509.DNSName(name)
    PolicyBuilder().store(Store([ca])).time(at).build_server_verifier(subject).verify(leaf, [])


def as_ip(name: str) -> IPv4Address | IPv6Address | None:
    return None if name[0].isalpha() else ip_address(name)


@pytest.mark.parametrize("name", NAMES)
def test_a_client_that_trusts_the_ca_accepts_each_name(folder: Folder, name: str) -> None:
    verify(folder, name)


def test_a_client_refuses_another_name(folder: Folder) -> None:
    with pytest.raises(VerificationError):
        verify(folder, "example.com")


def test_openssl_takes_certificate_and_key_and_a_strict_client_shakes_hands(tmp_path: Path) -> None:
    folder = Folder(tmp_path)
    ensure(folder, NAMES)
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(folder.certificate, folder.key)
    client = ssl.create_default_context(cafile=str(folder.ca))
    client.verify_flags |= ssl.VERIFY_X509_STRICT
    ends = [ssl.MemoryBIO() for _ in range(2)]
    sides = [
        client.wrap_bio(ends[0], ends[1], server_hostname="mail.example.org"),
        server.wrap_bio(ends[1], ends[0], server_side=True),
    ]
    done = 0
    for turn in range(10):
        try:
            sides[turn % 2].do_handshake()
            done += 1
        except ssl.SSLWantReadError:
            pass
    assert done >= 2
    assert sides[0].getpeercert()


def test_keys_are_the_owner_s_alone(folder: Folder) -> None:
    assert folder.path.stat().st_mode & 0o777 == 0o700
    assert {path.stat().st_mode & 0o777 for path in (folder.ca_key, folder.key)} == {0o600}


def test_a_second_call_changes_nothing(folder: Folder) -> None:
    before = contents(folder)
    ensure(folder, NAMES, NOW + timedelta(days=300))
    assert contents(folder) == before


def test_a_certificate_near_its_end_is_renewed_with_the_same_keys(folder: Folder) -> None:
    before = contents(folder)
    later = NOW + timedelta(days=380)
    ensure(folder, NAMES, later)
    after = contents(folder)
    assert {name for name in before if before[name] != after[name]} == {"server.crt"}
    verify(folder, "localhost", later + timedelta(days=300))


def test_a_new_name_gets_a_new_certificate(folder: Folder) -> None:
    ensure(folder, [*NAMES, "imap.example.org"], NOW)
    verify(folder, "imap.example.org")


def test_a_certificate_of_the_administrator_s_own_is_left_alone(folder: Folder, tmp_path: Path) -> None:
    other = Folder(tmp_path / "other")
    ensure(other, ["mine.example.org"], NOW)
    folder.certificate.write_bytes(other.certificate.read_bytes())
    before = contents(folder)
    ensure(folder, NAMES, NOW + timedelta(days=380))
    assert contents(folder) == before


def config(folder: Folder, host: str = "mail.example.org") -> Config:
    return Config(server=Server(host=host), tls=TLS(certificate=folder.certificate, key=folder.key))


def test_at_a_start_our_own_certificate_is_renewed_in_time_for_all_its_names(folder: Folder) -> None:
    before = contents(folder)
    renew(config(folder), NOW + timedelta(days=300))
    assert contents(folder) == before
    later = NOW + timedelta(days=380)
    renew(config(folder), later)
    for name in NAMES:
        verify(folder, name, later + timedelta(days=300))


def test_at_a_start_a_new_name_of_the_server_is_added(folder: Folder) -> None:
    renew(config(folder, "mx.example.net"), NOW)
    for name in (*NAMES, "mx.example.net"):
        verify(folder, name)


@pytest.mark.parametrize("gone", ["ca.key", "ca.crt", "server.key", "server.crt"])
def test_where_a_part_is_missing_nothing_is_made_at_a_start(folder: Folder, gone: str) -> None:
    (folder.path / gone).unlink()
    before = contents(folder)
    renew(config(folder, "new.example.org"), NOW + timedelta(days=380))
    assert contents(folder) == before


def test_a_certificate_elsewhere_is_left_alone_at_a_start(folder: Folder, tmp_path: Path) -> None:
    elsewhere = tmp_path / "mine.pem"
    elsewhere.write_bytes(folder.certificate.read_bytes())
    before = contents(folder)
    renew(Config(tls=TLS(certificate=elsewhere, key=folder.key)), NOW + timedelta(days=380))
    assert contents(folder) == before


@pytest.mark.parametrize("name", ["ca.crt", "ca.key", "server.crt", "server.key"])
def test_a_file_that_is_something_else_stops_the_start_and_stays(folder: Folder, name: str) -> None:
    (folder.path / name).write_text("something else")
    with pytest.raises(ConfigProblem, match=name):
        ensure(folder, [*NAMES, "new.example.org"], NOW)
    assert (folder.path / name).read_text() == "something else"


def test_the_fingerprint_is_the_one_that_clients_show(folder: Folder) -> None:
    der = x509.load_pem_x509_certificate(folder.ca.read_bytes()).public_bytes(Encoding.DER)
    shown = fingerprint(folder.ca)
    assert shown.replace(":", "").lower() == hashlib.sha256(der).hexdigest()
    assert len(shown) == 95


def test_what_another_has_laid_in_the_way_is_not_written_through(tmp_path: Path) -> None:
    """Whoever may write into the folder must not have somebody else's file overwritten."""
    folder, victim = Folder(tmp_path / "tls"), tmp_path / "precious"
    ensure(folder, ["a.example"], NOW)
    victim.write_text("precious")
    folder.certificate.with_suffix(".new").symlink_to(victim)
    ensure(folder, ["a.example", "b.example"], NOW)
    assert victim.read_text() == "precious"
    assert "b.example" in certificate.read(folder.certificate).names
    assert not folder.certificate.is_symlink()
