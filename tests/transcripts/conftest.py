"""The folder that every world begins with, made once."""

from pathlib import Path

import pytest

from tests.transcripts.world import prepare


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("template") / "data"
    prepare(folder)
    return folder
