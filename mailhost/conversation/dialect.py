"""Which extensions a listener speaks: all of its protocol's, without those that its setting switches off."""

from collections.abc import Callable, Collection, Iterable
from typing import TypeVar

E = TypeVar("E")


class UnknownExtension(ValueError):
    """No extension has this name; the text says which names there are."""

    def __init__(self, name: str, known: Iterable[str]) -> None:
        super().__init__(f"{name} is no extension here; there are {', '.join(known)}")


def spoken(extensions: Iterable[E], without: Collection[str], name_of: Callable[[E], str]) -> tuple[E, ...]:
    """The extensions whose names are not among `without`, in whatever case. Raises `UnknownExtension`."""
    every = {name_of(each).upper(): each for each in extensions}
    for name in without:
        if name.upper() not in every:
            raise UnknownExtension(name, every)
    off = {name.upper() for name in without}
    return tuple(each for name, each in every.items() if name not in off)
