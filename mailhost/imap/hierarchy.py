"""The names of an account as a hierarchy: mailboxes, the names above them, and what is only subscribed to. Pure."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from mailhost.store.names import SEPARATOR
from mailhost.store.values import Mailbox


@dataclass(frozen=True, slots=True)
class Name:
    """One that LIST or LSUB may tell."""

    name: str
    mailbox: Mailbox | None
    """None for a name that cannot be selected."""
    has_children: bool = False
    """Mailboxes, that is."""
    subscribed: bool = False
    above_subscribed: bool = False

    @property
    def is_there(self) -> bool:
        """As a mailbox, or because others stand under it."""
        return self.mailbox is not None or self.has_children


def hierarchy(every: Sequence[Mailbox], subscribed: Sequence[str]) -> list[Name]:
    """In the order of the mailboxes; a name that only others stand under comes before them, what is not there comes last."""
    mailboxes = {each.name: each for each in every}
    on_list = set(subscribed)
    parents = {name for each in every for name in superiors(each.name)}
    above = {name for each in subscribed for name in superiors(each)}
    names = dict.fromkeys(name for each in every for name in (*superiors(each.name), each.name))
    names |= dict.fromkeys(name for each in subscribed for name in (*superiors(each), each))
    return [Name(name, mailboxes.get(name), name in parents, name in on_list, name in above) for name in names]


def superiors(name: str) -> Iterator[str]:
    """The names above one, the highest first."""
    parts = name.split(SEPARATOR)
    for count in range(1, len(parts)):
        yield SEPARATOR.join(parts[:count])
