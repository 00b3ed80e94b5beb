"""What a server can: its answer to EHLO, by keyword (RFC 5321 section 4.1.1.1)."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from mailhost.smtp.client.heard import Heard


@dataclass(frozen=True, slots=True)
class Abilities:
    """Nothing after HELO."""

    extensions: Mapping[str, str] = field(default_factory=dict)
    """Each keyword in upper case with its parameters."""

    def __contains__(self, keyword: str) -> bool:
        return keyword in self.extensions

    @property
    def most_octets(self) -> int:
        """The largest message that it takes (RFC 1870 section 4); 0 where it names no limit."""
        return _number(self.extensions.get("SIZE", ""))

    @property
    def most_recipients(self) -> int:
        """Of one transaction, where it says so (RFC 9422 section 4.2); 0 where not."""
        limits = dict(word.upper().partition("=")[::2] for word in self.extensions.get("LIMITS", "").split())
        return _number(limits.get("RCPTMAX", ""))

    @property
    def mechanisms(self) -> frozenset[str]:
        """Of AUTH (RFC 4954 section 3)."""
        return frozenset(self.extensions.get("AUTH", "").upper().split())


def abilities(answer: Heard) -> Abilities:
    """The first line greets, each further one is a keyword with its parameters."""
    found: dict[str, str] = {}
    for line in answer.lines[1:]:
        keyword, _, parameters = line.strip().partition(" ")
        if keyword.upper().startswith("AUTH="):  # as old servers write it
            parameters, keyword = f"{keyword[5:]} {parameters}", "AUTH"
        found.setdefault(keyword.upper(), parameters.strip())
    return Abilities(found)


def _number(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 19 else 0
