"""Who hears of every line of a client's dialogue, as it goes over the wire; passwords are masked before."""

from typing import Protocol


class Watch(Protocol):
    def said(self, line: bytes) -> None:
        """By us, without its end."""

    def heard(self, line: bytes) -> None:
        """From the server, without its end."""

    def sent(self, octets: bytes) -> None:
        """Of a message's content, on its way."""


def without_secret(line: str) -> str:
    """Of AUTH its mechanism; of what belongs to it nothing."""
    verb, *words = line.split(" ")
    if verb != "AUTH" or not words:
        return "***"
    return f"AUTH {words[0]} ***" if len(words) > 1 else line
