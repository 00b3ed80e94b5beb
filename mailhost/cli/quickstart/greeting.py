"""What a person reads when the server is ready: 24 lines at most, so that it stands on one screen."""

from collections.abc import Mapping
from pathlib import Path

from mailhost import __version__


def greeting(
    ports: Mapping[str, int],
    accounts: Mapping[str, str],
    ca: Path,
    fingerprint: str,
    host: str,
    *,
    trial: str,
    plaintext: bool = False,
) -> str:
    """Ports, accounts and password, the CA, what to type into a mail client, and one line to try (`trial`)."""
    addresses, password = list(accounts), next(iter(accounts.values()))
    serving = [f"{name} {port}" for name, port in ports.items()]
    lines = [
        f"mailhost {__version__} serves on {host}",
        f"  Ports      {'   '.join(serving)}",
        f"  Accounts   {'   '.join(addresses)}",
        f"  Password   {password}",
        f"  CA         {ca}",
        f"  SHA-256    {fingerprint}",
        "",
        "To type into Outlook, Foxmail or Thunderbird (trust the CA first; it is this folder's own)",
        f"  User name  {addresses[0]}   the full address; SPA off",
        *servers(ports),
        "",
        "One line to try, in a second terminal",
        f"  {trial}",
        "By hand, with telnet and no TLS (docs/lab.md is a first lesson)",
        f"  {BY_HAND[plaintext]}",
        "",
        "Stop with Ctrl+C.",
    ]
    return "\n".join(lines) + "\n"


BY_HAND = {
    False: "stop, then: scripts/run --set login.allow_plaintext=true --wire",
    True: "a password may go in clear: login.allow_plaintext is true; for the dialogue start with --wire",
}
SERVERS = (("Incoming", "IMAP", "imaps"), ("Incoming", "POP3", "pop3s"), ("Outgoing", "SMTP", "submissions"))


def servers(ports: Mapping[str, int], host: str = "localhost") -> list[str]:
    """What a client asks: way, protocol, server, port, encryption."""
    note = {"submissions": "   the same user name and password"}
    return [
        f"  {way}   {protocol}   server {host}   port {ports[name]}   SSL/TLS{note.get(name, '')}"
        for way, protocol, name in SERVERS
        if name in ports
    ]
