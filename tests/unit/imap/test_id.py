"""ID: what clients say of themselves goes to the log, and names nothing there."""

from pathlib import Path

from mailhost.events.event import Event
from tests.transcripts.world import World

from .talk import client, in_world


def test_the_names_that_a_client_gives_are_never_fields_of_the_log(tmp_path: Path, template: Path) -> None:
    async def act(here: World) -> None:
        heard: list[Event] = []
        here.services.events.subscribe(heard.append)
        async with client(here) as one:
            assert b"a OK" in await one.ask(b'a ID ("event" "x" "cause" "forged")\r\n')
        (told,) = (event for event in heard if event.kind == "client.id")
        assert told.data == {"said": {"event": "x", "cause": "forged"}}

    in_world(tmp_path, template, act)
