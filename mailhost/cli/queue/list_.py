"""`mailhost queue list`."""

import asyncio
import json
from collections.abc import Iterable, Iterator
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from mailhost.cli import office
from mailhost.cli.options import CONFIG
from mailhost.cli.queue.choosing import choice, chosen_by
from mailhost.cli.table import columns
from mailhost.config.load import load
from mailhost.events.wire_text import printable
from mailhost.ids import Millis, text_of

if TYPE_CHECKING:
    from mailhost.queue.control import Group, Waiting

HERE = "(a mailbox here)"


@click.command("list")
@chosen_by
@click.option("--each", is_flag=True, help="A line for each recipient, not for each destination and reason.")
@click.option("--json", "as_json", is_flag=True, help="One line of JSON for all.")
@CONFIG
def command(
    ids: tuple[str, ...],
    sender: str,
    recipient: str,
    destination: str,
    reason: str,
    each: bool,
    as_json: bool,
    config_path: Path,
) -> None:
    """List what waits, by destination and reason.

    An ID is a delivery's or a journey's.
    """
    from mailhost.administration import queue

    which = choice(ids, sender=sender, recipient=recipient, destination=destination, reason=reason)
    config = load(config_path)
    if each:
        waiting = asyncio.run(office.asked(config, queue.waiting, which))
        said = json.dumps([as_value(one) for one in waiting]) if as_json else _table(_each(waiting))
    else:
        groups = asyncio.run(office.asked(config, queue.groups, which))
        said = json.dumps([_group_value(one) for one in groups]) if as_json else _table(_groups(groups))
    click.echo(said)


def _table(rows: Iterable[tuple[str, ...]]) -> str:
    lines = "\n".join(columns([tuple(map(printable, row)) for row in rows]))
    return lines or "nothing waits"


def _groups(found: "Iterable[Group]") -> Iterator[tuple[str, ...]]:
    for one in found:
        yield f"{one.count:,}", one.destination or HERE, when(one.next_try, held=one.held), one.reason


def _each(found: "Iterable[Waiting]") -> Iterator[tuple[str, ...]]:
    for one in found:
        row = one.delivery
        yield text_of(row.id), row.recipient, when(row.next_try, held=one.held), f"{row.tries} tries", row.reason or ""


def when(at: Millis | None, *, held: bool) -> str:
    if held or at is None:
        return "held"
    return f"next try {datetime.fromtimestamp(at / 1000).astimezone():%Y-%m-%d %H:%M:%S}"


def _group_value(one: "Group") -> dict[str, object]:
    return {
        "destination": one.destination or None,
        "reason": one.reason,
        "held": one.held,
        "count": one.count,
        "oldest": one.oldest,
        "next_try": one.next_try,
    }


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
    }
