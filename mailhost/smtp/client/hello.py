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
        """Of one transaction (RFC 9422 section 4.2); 0 where it says nothing, as with the others."""
        return self._limit("RCPTMAX")

    @property
    def most_transactions(self) -> int:
        """Of one connection (RFC 9422 section 4.1)."""
        return self._limit("MAILMAX")

    @property
    def most_domains(self) -> int:
        """Of the recipients of one transaction (RFC 9422 section 4.3)."""
        return self._limit("RCPTDOMAINMAX")

    @property
    def shortest_deliver_by(self) -> int:
        """Seconds that must be left of a message that is to be returned when it is late (RFC 2852 section 3)."""
        return _number(self.extensions.get("DELIVERBY", "").partition(",")[0].strip())

    @property
    def takes_binary(self) -> bool:
        """RFC 3030 section 3: BINARYMIME is of no use without BDAT."""
        return "BINARYMIME" in self and "CHUNKING" in self

    @property
    def mechanisms(self) -> frozenset[str]:
        """Of AUTH (RFC 4954 section 3)."""
        return frozenset(self.extensions.get("AUTH", "").upper().split())

    def _limit(self, name: str) -> int:
        limits = dict(word.upper().partition("=")[::2] for word in self.extensions.get("LIMITS", "").split())
        return _number(limits.get(name, ""))


def abilities(answer: Heard) -> Abilities:
    """The first line greets, each further one is a keyword with its parameters."""
    found: dict[str, str] = {}
    for line in answer.lines[1:]:
        keyword, _, parameters = line.strip().partition(" ")
        if keyword.upper().startswith("AUTH="):  # as old servers write it, most beside the other form
            keyword, parameters = "AUTH", f"{keyword[5:]} {parameters}"
        if keyword.upper() == "AUTH":
            parameters = f"{found.pop('AUTH', '')} {parameters}"
        found.setdefault(keyword.upper(), parameters.strip())
    return Abilities(found)


def _number(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 19 else 0
