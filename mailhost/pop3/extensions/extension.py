"""What an extension adds: a line of CAPA, and perhaps commands."""

from dataclasses import dataclass

from mailhost.pop3.session import POP3Command


@dataclass(frozen=True, slots=True)
class Extension:
    """One capability that works the same before and after the login (RFC 2449 section 6)."""

    name: str
    rfc: int
    arguments: str = ""
    commands: tuple[POP3Command, ...] = ()

    @property
    def capability(self) -> str:
        """The line of CAPA."""
        return f"{self.name} {self.arguments}".rstrip()
