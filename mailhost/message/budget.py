"""How much of a hostile message is looked at: bounds of one scan, and what is left of them."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """Beyond a bound the rest of a message is opaque: it is stored and served, but not taken apart."""

    parts: int = 1_000
    depth: int = 50
    header_octets: int = 256 * 1024
    """Looked at in the header of one part."""
    all_header_octets: int = 1024 * 1024
    """Looked at in the headers of all parts together."""
    addresses: int = 2_000
    parameters: int = 2_000
    boundary_octets: int = 256
    """RFC 2046 section 5.1.1 allows 70."""
    false_delimiters: int = 10_000
    """Lines that begin like a delimiter and turn out to be none."""


@dataclass(slots=True)
class Budget:
    """What is left while one message is scanned."""

    parts: int
    header_octets: int
    addresses: int
    parameters: int
    false_delimiters: int


def budget(limits: Limits) -> Budget:
    return Budget(limits.parts, limits.all_header_octets, limits.addresses, limits.parameters, limits.false_delimiters)
