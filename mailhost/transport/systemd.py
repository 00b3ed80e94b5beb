"""What systemd wants to hear of a service of Type=notify-reload: sd_notify(3), which is one datagram."""

import os
import socket
import time
from contextlib import suppress

READY, STOPPING = "READY=1", "STOPPING=1"


def notify(*words: str) -> None:
    """Say it where somebody asks for it, by NOTIFY_SOCKET; nobody's silence stops the mail."""
    address = os.environ.get("NOTIFY_SOCKET", "")
    if not address.startswith(("/", "@")):
        return
    with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as said:
        said.setblocking(False)
        said.sendto("\n".join(words).encode(), address.replace("@", "\0", 1) if address[0] == "@" else address)


def reloading() -> None:
    """The clock tells systemd which of its requests this answers."""
    notify("RELOADING=1", f"MONOTONIC_USEC={time.monotonic_ns() // 1000}")
