"""Values with a unit: "5m" is a `Duration`, "64KiB" are `Octets`; both are written back as they are read."""

import re
from dataclasses import dataclass
from datetime import timedelta
from ipaddress import ip_address
from typing import Any, Final, Self

MILLISECONDS: Final = {"ms": 1, "s": 1_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}
OCTETS: Final = {"B": 1, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30, "TiB": 1 << 40}
LONGEST = timedelta(days=36_525)
MOST_OCTETS = (1 << 63) - 1
LONGEST_TEXT = 32
_AMOUNT = re.compile(r"(\d+) ?([A-Za-z]+)", re.ASCII)


class Duration(timedelta):
    """A span of time in whole milliseconds, written "30s", "5m", "250ms", "24h" or "7d"."""

    @classmethod
    def read(cls, written: object) -> Self:
        """Raises ValueError with the cure."""
        return cls(
            milliseconds=_amount(written, MILLISECONDS, LONGEST // timedelta(milliseconds=1), '"30s", "5m" or "7d"')
        )

    def __str__(self) -> str:
        return _write(self // timedelta(milliseconds=1), MILLISECONDS, "s")


class Octets(int):
    """A number of octets, written "64KiB", "50MiB", "1GiB", or as a plain number."""

    @classmethod
    def read(cls, written: object) -> Self:
        """Raises ValueError with the cure."""
        if isinstance(written, int) and not isinstance(written, bool) and 0 <= written <= MOST_OCTETS:
            return cls(written)
        return cls(_amount(written, OCTETS, MOST_OCTETS, '"64KiB", "50MiB" or a number of octets'))

    def __str__(self) -> str:
        return _write(int(self), OCTETS, "B")


def milliseconds(count: int) -> Duration:
    return Duration(milliseconds=count)


def seconds(count: int) -> Duration:
    return Duration(seconds=count)


def minutes(count: int) -> Duration:
    return Duration(minutes=count)


def hours(count: int) -> Duration:
    return Duration(hours=count)


def days(count: int) -> Duration:
    return Duration(days=count)


def kib(count: int) -> Octets:
    return Octets(count << 10)


def mib(count: int) -> Octets:
    return Octets(count << 20)


@dataclass(frozen=True, slots=True)
class Least:
    """The smallest value that makes sense, and who says so."""

    bound: timedelta | int
    reason: str = ""

    def allows(self, value: Any) -> bool:
        """Whether the value, of the bound's own type, does."""
        return bool(value >= self.bound)

    def __str__(self) -> str:
        return f"at least {self.bound}{_because(self.reason)}"

    def refusal(self, value: Any) -> str:
        return f"{value} is too small; it must be {self}"


@dataclass(frozen=True, slots=True)
class Most:
    """The largest value that makes sense, and who says so."""

    bound: timedelta | int
    reason: str = ""

    def allows(self, value: Any) -> bool:
        """Whether the value, of the bound's own type, does."""
        return bool(value <= self.bound)

    def __str__(self) -> str:
        return f"at most {self.bound}{_because(self.reason)}"

    def refusal(self, value: Any) -> str:
        return f"{value} is too large; it must be {self}"


@dataclass(frozen=True, slots=True)
class Each:
    """What holds for each value of a list or a table."""

    least: Least
    is_needed: bool = False
    """Whether there must be one."""

    def allows(self, value: Any) -> bool:
        values = value.values() if isinstance(value, dict) else value
        return (bool(value) or not self.is_needed) and all(map(self.least.allows, values))

    def __str__(self) -> str:
        return f"each {self.least}"

    def refusal(self, value: Any) -> str:
        return f"each must be {self.least}" if value else "must not be empty"


@dataclass(frozen=True, slots=True)
class Form:
    """How a text must look."""

    pattern: str
    example: str
    what: str

    def allows(self, value: str) -> bool:
        return re.fullmatch(self.pattern, value) is not None

    def __str__(self) -> str:
        return f"such as {self.example}"

    def refusal(self, value: str) -> str:
        return f"{_quoted(value)} is not {self.what}; write one such as {self.example}"


@dataclass(frozen=True, slots=True)
class IPAddress:
    """A text that is an address, IPv4 or IPv6."""

    example: str

    def allows(self, value: str) -> bool:
        try:
            ip_address(value)
        except ValueError:
            return False
        return True

    def __str__(self) -> str:
        return f"such as {self.example}"

    def refusal(self, value: str) -> str:
        return f"{_quoted(value)} is not an IP address; write one such as {self.example}"


Bound = Least | Most | Form | IPAddress | Each


def _quoted(value: str) -> str:
    """What was written, so that an empty text and a line end can be seen."""
    return '"' + "".join(each if each.isprintable() else f"\\x{ord(each):02x}" for each in value) + '"'


def _because(reason: str) -> str:
    return f" ({reason})" if reason else ""


def _amount(written: object, units: dict[str, int], most: int, examples: str) -> int:
    found = _AMOUNT.fullmatch(written) if isinstance(written, str) and len(written) <= LONGEST_TEXT else None
    if found is None or found[2] not in units:
        raise ValueError(f"write it like {examples}")
    amount = int(found[1]) * units[found[2]]
    if amount > most:
        raise ValueError(f"{written} is too large; write a smaller value")
    return amount


def _write(amount: int, units: dict[str, int], zero: str) -> str:
    """The largest unit that leaves no remainder."""
    unit = zero if not amount else next(name for name, size in reversed(units.items()) if amount % size == 0)
    return f"{amount // units[unit]}{unit}"
