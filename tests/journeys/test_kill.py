"""The server is killed under load, again and again: what it promised holds, and nothing is half there."""

import random
import time
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.journeys.administrator import add
from tests.journeys.crowd import PEOPLE, SEED, check_after, crowd
from tests.service import serving

pytestmark = pytest.mark.service


@pytest.mark.filterwarnings("ignore::ResourceWarning")  # Python's clients leave a socket open when no greeting comes
@pytest.mark.parametrize("kills", [5, pytest.param(50, marks=pytest.mark.soak)])
def test_what_was_promised_survives_kills(tmp_path: Path, on_each: Sequence[str], kills: int) -> None:
    chance, data = random.Random(SEED + kills), tmp_path / "data"
    with crowd() as scene:
        for life in range(kills):
            with serving(data, *on_each) as server:
                if life == 0:
                    add(server, *PEOPLE)
                scene.begin(server)
                scene.wait_for(chance.randrange(20, 150))
                time.sleep(chance.random() / 20)  # an acknowledgement is one moment; this may be any other
                scene.about_to_end(server)
                server.kill()
    check_after(data, on_each, scene.promises)
