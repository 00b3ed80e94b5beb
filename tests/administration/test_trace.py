"""The ledger answers in plain words, on both engines."""

import pytest

from mailhost.administration.trace import as_values, sentences, trace
from mailhost.database.database import Database
from mailhost.ids import text_of
from tests.administration.test_audit import office
from tests.engines import Place


async def said(database: Database, *words: str) -> list[str]:
    return [line for journey in await trace(database, words) for line in sentences(journey)]


async def test_a_recipient_here_is_told_with_its_mailbox_and_uid(database: Database, place: Place) -> None:
    async with office(database, place):
        first, *rest = await said(database, "carol@example.org")
    assert "accepted " in first
    assert "from <a@b.example> (192.0.2.1), 1 octets, for 3 recipients" in first
    assert [line.partition(", ")[0] for line in rest] == [
        "  alice@example.org: stored in INBOX as UID 2",
        "  bob@example.org: stored in INBOX as UID 2",
        "  carol@example.org: stored in INBOX as UID 1",
    ]


async def test_a_recipient_elsewhere_waits_and_is_never_called_delivered(database: Database, place: Place) -> None:
    async with office(database, place):
        lines = await said(database, "elsewhere")
    assert lines[1:] == ["  somebody@elsewhere.example: waiting for relay to elsewhere.example, not sent"]


async def test_an_alias_is_told_with_those_it_stands_for(database: Database, place: Place) -> None:
    async with office(database, place):
        first, alias, *targets = await said(database, "both@example.org")
    assert first.endswith("for 1 recipient")
    assert alias.startswith("  both@example.org: an alias: it went to the addresses below ")
    assert [line.split(":")[0] for line in targets] == ["  alice@example.org", "  bob@example.org"]


async def test_all_words_must_fit_and_a_journey_is_one(database: Database, place: Place) -> None:
    async with office(database, place):
        (journey,) = await trace(database, ["somebody"])
        by_name = await trace(database, [text_of(journey.acceptance.journey), "ELSEWHERE.example"])
        assert by_name == [journey]
        assert await trace(database, ["somebody", "alice@example.org"]) == []


@pytest.mark.parametrize("word", ["%", "_", "'", "\\", "x" * 10_000, "f" * 16])
async def test_what_means_something_in_sql_stands_for_itself(word: str, database: Database, place: Place) -> None:
    async with office(database, place):
        assert await trace(database, [word]) == []


async def test_programs_get_values(database: Database, place: Place) -> None:
    async with office(database, place):
        (journey,) = await trace(database, ["somebody"])
    values = as_values(journey)
    assert values["journey"] == text_of(journey.acceptance.journey)
    assert [(each["state"], each["destination"], each["uid"]) for each in values["recipients"]] == [
        ("waiting", "elsewhere.example", None)
    ]
