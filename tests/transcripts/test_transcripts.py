"""Every transcript, however its octets arrive."""

import asyncio
from pathlib import Path

import pytest

from tests.transcripts.player import Way, play, read_transcript

HERE = Path(__file__).parent
TRANSCRIPTS = sorted(HERE.glob("*/*.txt"))


@pytest.mark.parametrize("way", Way, ids=lambda way: way.value)
@pytest.mark.parametrize("path", TRANSCRIPTS, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_the_server_says_what_the_transcript_says(path: Path, way: Way, tmp_path: Path, template: Path) -> None:
    asyncio.run(play(read_transcript(path), tmp_path / "data", way, template))
