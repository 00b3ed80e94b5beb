"""What a set-up says at its end: the next lines to type, here, in the mail clients, and in the DNS."""

import shutil
import sys
from collections.abc import Iterator
from ipaddress import ip_address
from pathlib import Path

from mailhost.cli import authority
from mailhost.cli.quickstart.greeting import servers
from mailhost.cli.settings_file import Settings
from mailhost.cli.setup.plan import Wishes, own_authority
from mailhost.transport import certificate


def advice(wishes: Wishes, planned: Settings, made: str | None) -> Iterator[str]:
    """Lines. `made` is the password, if nobody chose one: it is said here and nowhere else."""
    config, domain = planned.config, wishes.address.domain
    ports = {name: listener.port for name, listener in config.listeners.items()}
    yield f"mailhost is set up for {domain}."
    yield f"  Settings   {planned.path.absolute()}"
    yield f"  Data       {config.server.data}"
    yield f"  Account    {wishes.address}   mail for postmaster@{domain} goes there, too"
    if made:
        yield f"  Password   {made}   is not shown again"
    yield ""
    yield "Start it"
    yield f"  {program()} config check --config {planned.path.absolute()}"
    yield f"  {program()} run --config {planned.path.absolute()}"
    yield f"  {program()} try {wishes.address} --config {planned.path.absolute()}"
    if ip_address(config.server.bind).is_loopback:
        yield '  It listens on loopback only. For others to reach it, set server.bind in the settings: "0.0.0.0", or "::".'
    yield ""
    yield "To type into Outlook, Foxmail or Thunderbird"
    yield f"  User name  {wishes.address}   the full address; SPA off"
    yield from servers(ports, "localhost" if ip_address(config.server.bind).is_loopback else config.server.host)
    yield from _trust(planned)
    yield f"  Ports      {'   '.join(f'{name} {port}' for name, port in ports.items())}"
    yield ""
    yield "DNS records that are wanted"
    yield from records(domain, config.server.host, config.server.bind)


def program() -> str:
    """How this program is called from where the reader is: by its name, if the PATH leads to it."""
    called = Path(sys.argv[0]).absolute()
    found = shutil.which("mailhost")
    return "mailhost" if found and Path(found).resolve() == called.resolve() else str(called)


def records(domain: str, host: str, bind: str) -> Iterator[str]:
    """In the form of a zone file; the address is known where the server listens on one of its own."""
    address = ip_address(bind)
    known = not (address.is_loopback or address.is_unspecified or address.is_private)
    yield f"  {domain}.   MX   10 {host}."
    yield f"  {host}.   {'AAAA' if address.version == 6 and known else 'A'}   {bind if known else '(the public address of this server)'}"


def _trust(planned: Settings) -> Iterator[str]:
    own = own_authority(planned)
    if own is None:
        yield f"  SHA-256    {certificate.read(planned.config.tls.certificate).fingerprint}   of the certificate"
        return
    yield f"  CA         {own.ca}   clients are to trust it; a public certificate: tls.certificate, tls.key"
    yield f"  SHA-256    {authority.fingerprint(own.ca)}   of the CA"
