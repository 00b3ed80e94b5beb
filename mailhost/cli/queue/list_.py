"""`mailhost queue list`."""

import asyncio
import sys
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import click

from mailhost.cli import office
from mailhost.cli.asking import counted
from mailhost.cli.language import meant, meant_in_all
from mailhost.cli.options import CONFIG
from mailhost.cli.queue.choosing import choice, chosen_by
from mailhost.cli.queue.listing import JSONList
from mailhost.cli.table import columns
from mailhost.config.load import load
from mailhost.events.wire_text import printable
from mailhost.ids import Millis, text_of

if TYPE_CHECKING:
    from mailhost.database.database import Database
    from mailhost.queue.control import Choice, Group, Waiting

MOST = 1_000
"""Lines, where nothing is said of it: nobody reads more."""
MOST_GROUPS = 1_000_000
HERE = "(a mailbox here)"


@click.command("list")
@chosen_by
@click.option("--each", is_flag=True, help="A line for each recipient, not for each destination and reason.")
@click.option(
    "--most", type=click.IntRange(min=0), help="How many lines at most; 0 is all.  [default: 1000; all in JSON]"
)
@click.option("--json", "as_json", is_flag=True, help="One line of JSON for all.")
@CONFIG
def command(
    ids: tuple[str, ...],
    sender: str,
    recipient: str,
    destination: str,
    reason: str,
    each: bool,
    most: int | None,
    as_json: bool,
    config_path: Path,
) -> None:
    """List what waits, by destination and reason.

    An ID is a delivery's or a journey's.
    """
    which = choice(ids, sender=sender, recipient=recipient, destination=destination, reason=reason)
    if most is None:
        most = 0 if as_json else MOST
    shown = (_EachJSON if as_json else _EachText) if each else (_GroupsJSON if as_json else _GroupsText)
    asyncio.run(office.asked(load(config_path), _list, which, most or sys.maxsize, shown(), each))


async def _list(database: "Database", which: "Choice", most: int, shown: "Shown", each: bool) -> None:
    """Page by page, however much waits."""
    from mailhost.administration import queue
    from mailhost.relay.reach import CURE

    if await queue.is_blocked(database, CURE):
        shown.blocked(CURE)
    left = most
    if each:
        async for page in queue.waiting(database, which):
            shown.page(page[:left])
            left -= len(page[:left])
            if not left:
                break
        total = await queue.count(database, which) if not left else most - left
    else:
        groups, total = await queue.groups(database, which, min(most, MOST_GROUPS))
        shown.page(groups)
        left = most - len(groups)
    shown.end(most - left, total)


class Shown(Protocol):
    """One of the forms that a list has."""

    def blocked(self, cure: str) -> None: ...
    def page(self, rows: Sequence[Any]) -> None: ...
    def end(self, count: int, total: int) -> None: ...


class _Text:
    def blocked(self, cure: str) -> None:
        click.echo(printable(cure))

    def page(self, rows: Sequence[Any]) -> None:
        lines = columns([tuple(map(printable, self.cells(each))) for each in rows]) if rows else ()
        for line, each in zip(lines, rows, strict=True):
            click.echo(line)
            status, reply = self.said(each)
            if found := meant(status, reply):
                click.echo(f"    {found.text}")

    def end(self, count: int, total: int) -> None:
        if not total:
            click.echo("nothing waits")
        elif total > count:
            click.echo(f"({total - count:,} more; --most 0 lists all)")

    def cells(self, each: Any) -> tuple[str, ...]:
        raise NotImplementedError

    def said(self, each: Any) -> tuple[str | None, str | None]:
        raise NotImplementedError


class _GroupsText(_Text):
    def cells(self, each: "Group") -> tuple[str, ...]:
        return f"{each.count:,}", each.destination or HERE, when(each.next_try, held=each.held), each.reason

    def said(self, each: "Group") -> tuple[str | None, str | None]:
        return each.status, each.reply


class _EachText(_Text):
    def cells(self, each: "Waiting") -> tuple[str, ...]:
        row = each.delivery
        tries = counted(row.tries, "try", "tries")
        return text_of(row.id), row.recipient, when(row.next_try, held=each.held), tries, row.reason or ""

    def said(self, each: "Waiting") -> tuple[str | None, str | None]:
        return each.delivery.status, each.delivery.reply


class _JSON:
    def __init__(self) -> None:
        self._list = JSONList()

    def blocked(self, cure: str) -> None:
        click.echo(cure, err=True)

    def page(self, rows: Sequence[Any]) -> None:
        for each in rows:
            self._list.add(self.value(each))

    def end(self, count: int, total: int) -> None:  # noqa: ARG002 - programs count themselves
        self._list.end()

    def value(self, each: Any) -> dict[str, object]:
        raise NotImplementedError


class _GroupsJSON(_JSON):
    def value(self, each: "Group") -> dict[str, object]:
        return {
            "destination": each.destination or None,
            "reason": each.reason,
            "status": each.status,
            "reply": each.reply,
            "meaning": meant_in_all(each.status, each.reply),
            "held": each.held,
            "count": each.count,
            "oldest": each.oldest,
            "next_try": each.next_try,
        }


class _EachJSON(_JSON):
    def value(self, each: "Waiting") -> dict[str, object]:
        return as_value(each)


def when(at: Millis | None, *, held: bool) -> str:
    if held or at is None:
        return "held"
    return f"next try {datetime.fromtimestamp(at / 1000).astimezone():%Y-%m-%d %H:%M:%S}"


def as_value(one: "Waiting") -> dict[str, object]:
    """Moments are milliseconds since 1970 UTC."""
    row = one.delivery
    return {
        "id": text_of(row.id),
        "journey": text_of(row.journey),
        "sender": one.acceptance.reverse_path,
        "recipient": row.recipient,
        "destination": row.destination or None,
        "subject": one.acceptance.subject,
        "accepted_at": one.acceptance.at,
        "held": one.held,
        "next_try": row.next_try,
        "tries": row.tries,
        "status": row.status,
        "host": row.host,
        "reply": row.reply,
        "reason": row.reason,
        "meaning": meant_in_all(row.status, row.reply),
    }
