"""RFC 5321 mailboxes: strict in what they mean, tolerant of what clients send."""

import ipaddress
import re
from dataclasses import dataclass

import idna

LONGEST_LOCAL_PART = 64
LONGEST_DOMAIN = 255
"""RFC 5321 section 4.5.3.1: octets."""
LONGEST_WRITTEN = 2_000
"""With its source route."""

_DOT_STRING = re.compile(r"[^\x00-\x20\x7f-\x9f()<>\[\]:;@\\,.\"]+(?:\.[^\x00-\x20\x7f-\x9f()<>\[\]:;@\\,.\"]+)*")
"""RFC 5321 section 4.1.2, with UTF-8 as RFC 6531 section 3.3 allows."""
_LOOSE_DOTS = re.compile(r"[^\x00-\x20\x7f-\x9f()<>\[\]:;@\\,\"]+")
"""Dots anywhere: `first..last@` and `name.@` are real mailboxes at large hosts."""
_QUOTED = re.compile(r'"((?:[^"\\\x00-\x1f\x7f]|\\[\x20-\x7e])*)"')
_ROUTE = re.compile(r"@[^:@,\s]+(?:,@[^:@,\s]+)*:")
_LABEL = re.compile(r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?")
_ESCAPED = re.compile(r"\\(.)")
_NEEDS_ESCAPE = re.compile(r'["\\]')


class AddressProblem(ValueError):  # a problem of the sender, as in SyntaxProblem; not a fault of ours
    """What was sent is no mailbox; the text says why, in words for a reply."""


@dataclass(frozen=True, slots=True)
class Address:
    """A mailbox by its meaning: the local part without quotes, the domain in lower case and A-labels."""

    local: str
    domain: str
    """A name, an address literal with its brackets, or nothing: `postmaster` alone (RFC 5321 section 4.5.1)."""

    def __str__(self) -> str:
        return self.text()

    def text(self) -> str:
        """As it is written between angle brackets: quoted where it must be."""
        local = self.local if _DOT_STRING.fullmatch(self.local) else f'"{_NEEDS_ESCAPE.sub(_escaped, self.local)}"'
        return f"{local}@{self.domain}" if self.domain else local


def _escaped(found: "re.Match[str]") -> str:
    return f"\\{found[0]}"


def parse_address(
    text: bytes, *, allow_postmaster: bool = False, longest_local_part: int = LONGEST_LOCAL_PART
) -> Address:
    """Mailbox = Local-part "@" ( Domain / address-literal ), a source route before it is dropped."""
    if len(text) > LONGEST_WRITTEN:
        raise AddressProblem("the address is too long")
    try:
        written = text.strip(b" \t").decode()
    except UnicodeDecodeError:
        raise AddressProblem("an address must be UTF-8") from None
    if route := _ROUTE.match(written):
        written = written[route.end() :]
    if allow_postmaster and written.lower() == "postmaster":
        return Address("postmaster", "")
    local, domain = _split(written)
    return Address(_local_part(local, longest_local_part), parse_domain(domain))


def _split(written: str) -> tuple[str, str]:
    quoted = _QUOTED.match(written)
    if written.startswith('"') and not quoted:
        raise AddressProblem("the quoted local part is not closed")
    split_at = quoted.end() if quoted else written.rfind("@")
    if split_at < 0 or written[split_at : split_at + 1] != "@":
        raise AddressProblem("an address needs a domain")
    return written[:split_at], written[split_at + 1 :]


def _local_part(written: str, longest: int) -> str:
    quoted = _QUOTED.fullmatch(written)
    local = _ESCAPED.sub(r"\1", quoted[1]) if quoted else written
    if not local:
        raise AddressProblem("the local part is empty")
    if len(local.encode()) > longest:
        raise AddressProblem(f"the local part is longer than {longest} octets")
    if not local.isprintable() or not (quoted or _LOOSE_DOTS.fullmatch(local)):
        raise AddressProblem("the local part has characters that must be quoted or can not be")
    return local


def parse_domain(written: str) -> str:
    """A domain in the one form in which we compare: lower case, A-labels; or an address literal."""
    if written.startswith("["):
        return _address_literal(written)
    name = written.rstrip(".") if written.endswith(".") and not written.endswith("..") else written
    domain = name.lower() if name.isascii() else _a_labels(name)
    if not domain or not all(map(_LABEL.fullmatch, domain.split("."))):
        raise AddressProblem("the domain is not a name")
    if len(domain) > LONGEST_DOMAIN:
        raise AddressProblem("the domain is longer than 255 octets")
    return domain


def readable(text: str) -> str:
    """A domain, or an address, with its domain as people write it: U-labels in place of A-labels (RFC 5890 section 2.3.2.1)."""
    local, at, domain = text.rpartition("@")
    return local + at + ".".join(map(_u_label, domain.split(".")))


def _u_label(label: str) -> str:
    try:
        return idna.ulabel(label) if label.startswith("xn--") else label
    except (idna.IDNAError, UnicodeError):
        return label


def _a_labels(name: str) -> str:
    if len(name) > LONGEST_DOMAIN:
        raise AddressProblem("the domain is longer than 255 octets")
    try:
        labels = idna.uts46_remap(name, std3_rules=False).rstrip(".").split(".")
        return ".".join(label.lower() if label.isascii() else idna.alabel(label).decode() for label in labels)
    except (idna.IDNAError, UnicodeError):
        raise AddressProblem("the domain is not a name") from None


def _address_literal(written: str) -> str:
    """An IPv4-address-literal or IPv6-address-literal in brackets (RFC 5321 section 4.1.3)."""
    inside = written[1:-1]
    if not written.endswith("]") or len(inside) > LONGEST_DOMAIN:
        raise AddressProblem("the address literal is not closed")
    tag, colon, rest = inside.partition(":")
    try:
        if colon and tag.lower() == "ipv6" and "%" not in rest:  # no host knows another one's zones
            return f"[IPv6:{ipaddress.IPv6Address(rest)}]"
        return f"[{ipaddress.IPv4Address(inside)}]"
    except ValueError:
        raise AddressProblem("the address literal is no IP address") from None
