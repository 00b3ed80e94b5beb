"""Every transcript, however its octets arrive."""

import asyncio
from pathlib import Path

import pytest

from tests.transcripts.player import Way, play, read_transcript

HERE = Path(__file__).parent
TRANSCRIPTS = sorted(HERE.glob("*/*.txt"))
SLOW = "slow_reader"
"""The stem of those that are played slowly too: one for each protocol."""
PLAYED = [(path, way) for path in TRANSCRIPTS for way in Way if way is not Way.SLOWLY or path.stem == SLOW]


@pytest.mark.parametrize(
    ("path", "way"), PLAYED, ids=[f"{path.parent.name}/{path.stem}-{way.value}" for path, way in PLAYED]
)
def test_the_server_says_what_the_transcript_says(path: Path, way: Way, tmp_path: Path, template: Path) -> None:
    asyncio.run(play(read_transcript(path), tmp_path / "data", way, template))
