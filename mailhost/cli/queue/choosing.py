"""Which of the waiting deliveries: the same words for every command on the queue."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import click

from mailhost.cli.exits import EX_DATAERR, EX_USAGE, Failure

if TYPE_CHECKING:
    from mailhost.queue.control import Choice

OPTIONS: Sequence[Callable[[Any], Any]] = (
    click.argument("ids", nargs=-1, metavar="[ID]..."),
    click.option("--sender", default="", help="A part of the reverse-path."),
    click.option("--recipient", default="", help="A part of the recipient."),
    click.option("--destination", default="", help="A part of the domain where it is to go."),
    click.option("--reason", default="", help="A part of why it waits."),
)


def chosen_by(function: Callable[..., Any]) -> Callable[..., Any]:
    """Adds the options."""
    for each in reversed(OPTIONS):
        function = each(function)
    return function


def choice(ids: Sequence[str], *, every: bool = True, **words: str) -> "Choice":
    """All that is said must fit; `every` is whether nothing said means all. Raises `Failure`."""
    from mailhost.queue.control import Choice

    if not every and not ids and not any(words.values()):
        raise Failure("say which: an ID, --sender, --recipient, --destination, --reason, or --all", EX_USAGE)
    return Choice(tuple(map(_identifier, ids)), **words)


def _identifier(written: str) -> int:
    """A delivery, or the journey that it belongs to, as list, trace and the 250 after DATA name it."""
    try:
        number = int(written, 16) if len(written) == 16 else -1
    except ValueError:
        number = -1
    if not 0 <= number < 1 << 63:
        raise Failure(
            f"{written!a} is no ID: write its 16 digits, as `mailhost queue list --each` shows them", EX_DATAERR
        )
    return number
