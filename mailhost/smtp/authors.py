"""Who a message says it is from: a login sends only as addresses of its own (RFC 6409 section 6.1), envelope and header alike."""

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass

from mailhost.database.database import Database
from mailhost.database.transaction import Transaction
from mailhost.message.address import Address, AddressProblem, parse_address
from mailhost.message.headers import fields
from mailhost.message.lexical import unfold, without_comments
from mailhost.users import addresses
from mailhost.users.values import Local, Login

MOST_AUTHORS = 50
"""In one field: each is looked up."""
LONGEST_FIELD = 4 << 10
"""Octets; a hostile field of so many takes 0.7 ms."""
_QUOTED = rb'"(?:[^"\\]++|\\.)*"'
_MAILBOX = re.compile(
    rb"\s*+(?:(?P<name>(?:%(q)b|[^\"<>,:;]++)*)<(?P<angle>(?:%(q)b|[^\"<>]++)+)>|(?P<bare>(?:%(q)b|[^\"<>,:;\s]++)+))\s*+(?:,(?!\s*\Z)|\Z)"
    % {b"q": _QUOTED}
)
"""Mailbox = name-addr / addr-spec (RFC 5322 section 3.4), and a comma only between two. Stricter than ENVELOPE's reader on purpose: what
another reader could take for somebody else's address is refused."""
_QUOTED_STRING = re.compile(_QUOTED)
_GROUP = re.compile(rb"(?:%(q)b|[^\"<>:]++|<[^>]*+>)*:" % {b"q": _QUOTED})
_END = b"\n"
"""Stands behind a value that is unfolded, and is lost in a comment that is never closed: other readers know of no such comment."""


class TooManyAuthors(Exception):
    """More than are looked up."""


@dataclass(frozen=True, slots=True)
class Field:
    """One field that names who wrote or sent, by its addresses."""

    addresses: tuple[Address, ...] = ()
    called: tuple[Address, ...] = ()
    """What names are that look like addresses: Python's `parseaddr`, up to 3.11, took such a one for the address itself."""
    problem: str = ""
    """Why it cannot be told who that is."""

    @classmethod
    def of(cls, name: str, raw: bytes) -> "Field":
        if len(raw) > LONGEST_FIELD:
            return cls(problem=f"{name} is longer than {LONGEST_FIELD} octets")
        value = without_comments(unfold(raw.partition(b":")[2]) + _END)
        try:
            found = list(_mailboxes(value))
            return cls(tuple(address for address, _ in found), tuple(name for _, name in found if name))
        except TooManyAuthors:
            return cls(problem=f"{name} has more than {MOST_AUTHORS} addresses")
        except AddressProblem:
            return cls(problem=f"a group in {name}" if _GROUP.match(value) else f"{name} cannot be read as addresses")


@dataclass(frozen=True, slots=True)
class Authors:
    """What the header says of who wrote and who sent (RFC 5322 section 3.6.2). Of fields for resending the newest count."""

    author: tuple[Field, ...] = ()
    sender: tuple[Field, ...] = ()
    resent_from: tuple[Field, ...] = ()
    resent_sender: tuple[Field, ...] = ()

    @classmethod
    def of(cls, header: bytes) -> "Authors":
        found: dict[str, list[Field]] = {"From": [], "Sender": [], "Resent-From": [], "Resent-Sender": []}
        names = {name.lower().encode(): name for name in found}
        for written, raw in fields(header):
            name = names.get(written.lower())
            if name is not None:  # a second one is enough to refuse it, whatever it says
                found[name] = [*found[name][:1], Field()] if found[name] else [Field.of(name, raw)]
        return cls(*map(tuple, found.values()))

    @property
    def problem(self) -> str:
        """What is wrong with it whoever has logged in; nothing where nothing is."""
        if not self.author:
            return "the message has no From field"
        if len(self.author) > 1:
            return "several From fields"
        if len(self.sender) > 1:
            return "several Sender fields"
        if problem := next((each.problem for each in self._fields if each.problem), ""):
            return problem
        if any(len(each.addresses) > 1 for each in (*self.sender, *self.resent_sender[:1])):
            return "several addresses in Sender"
        if len(self.author[0].addresses) > 1 and not self.sender:
            return "From has several addresses, and there is no Sender"
        return ""

    @property
    def _fields(self) -> tuple[Field, ...]:
        return (*self.author, *self.sender, *self.resent_from[:1], *self.resent_sender[:1])

    @property
    def addresses(self) -> list[Address]:
        """Each that the login must own, once."""
        return list(dict.fromkeys(address for each in self._fields for address in (*each.addresses, *each.called)))


async def foreign_author(database: Database, login: Login, authors: Authors) -> str:
    """Why a message is not this login's own to send; nothing where it is."""
    if authors.problem:
        return f"Not sent: {authors.problem}"
    foreign = await database.read(first_foreign, login, authors.addresses)
    return f"Not sent: {foreign} in the header is not one of this login's own addresses" if foreign else ""


def first_foreign(tx: Transaction, login: Login, written: Collection[Address]) -> Address | None:
    """The first address that does not lead to the login's account, be it by its name, a tag, or an alias."""
    for each in written:
        targets = addresses.destination(tx, each.local, each.domain).targets
        if not any(isinstance(target, Local) and target.account == login.account for target in targets):
            return each
    return None


def _mailboxes(value: bytes) -> Iterator[tuple[Address, Address | None]]:
    """Mailbox-list = mailbox *("," mailbox), without comments: each address, and its name where that looks like one.

    Raises `AddressProblem`, `TooManyAuthors`.
    """
    if not value.endswith(_END):
        raise AddressProblem("a comment is never closed")
    at = 0
    for _ in range(MOST_AUTHORS):
        found = _MAILBOX.match(value, at)
        if found is None:
            raise AddressProblem("this is no list of mailboxes")
        name = _QUOTED_STRING.sub(b"", found["name"] or b"").strip()
        address = parse_address(found["bare"] if found["angle"] is None else found["angle"])
        yield address, parse_address(name) if b"@" in name else None
        at = found.end()
        if at >= len(value):
            return
    raise TooManyAuthors
