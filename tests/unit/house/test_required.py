"""What CI asks for: nothing is skipped."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow
TOP = Path(__file__).parents[3]
FILES = {
    "test_a.py": """
import pytest
def test_one(): pytest.skip("not here")
@pytest.mark.client("no-such-program")
def test_two(): pass
""",
    "test_b.py": "import pytest\npytest.skip('nor here', allow_module_level=True)\n",
}
LONG = "import pytest\n@pytest.mark.soak\ndef test_long(): pass\ndef test_short(): pass\n"


def run(folder: Path, files: dict[str, str], **environment: str) -> subprocess.CompletedProcess[str]:
    for name, text in files.items():
        (folder / name).write_text(text)
    command = [sys.executable, "-m", "pytest", "-c", str(TOP / "pyproject.toml"), "-p", "tests.conftest", str(folder)]
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("MAILHOST_", "PYTEST_"))}
    return subprocess.run(command, cwd=TOP, env=clean | environment, capture_output=True, text=True, check=False)


def test_what_is_missing_skips_with_its_reason(tmp_path: Path) -> None:
    said = run(tmp_path, FILES).stdout
    assert "3 skipped" in said
    for reason in ("not here", "nor here", "not installed here: no-such-program"):
        assert reason in said


def test_what_is_missing_fails_where_all_is_required(tmp_path: Path) -> None:
    ended = run(tmp_path, FILES, MAILHOST_TEST_REQUIRE="all", PYTEST_ADDOPTS="--continue-on-collection-errors")
    assert ended.returncode != 0
    assert "skipped" not in ended.stdout.splitlines()[-1]
    assert ended.stdout.count("skipped, and MAILHOST_TEST_REQUIRE=all") >= len(FILES) + 1


def test_the_soak_says_what_to_install_before_it_begins(tmp_path: Path) -> None:
    for program in ("sh", "dirname", "ls"):
        found = shutil.which(program)
        assert found is not None
        (tmp_path / program).symlink_to(found)
    soak = [str(tmp_path / "sh"), str(TOP / "scripts" / "soak")]
    ended = subprocess.run(soak, env={"PATH": str(tmp_path)}, capture_output=True, text=True, check=False)
    assert ended.returncode == 69
    assert "apt install msmtp getmail6 fetchmail offlineimap3" in ended.stderr


def test_a_program_is_named_with_its_package(tmp_path: Path) -> None:
    files = {"test_a.py": "import pytest\n@pytest.mark.client('getmail')\ndef test_one(): pass\n"}
    said = run(tmp_path, files, PATH=str(tmp_path), MAILHOST_TEST_REQUIRE="all").stdout
    assert "not installed here: getmail (Debian: apt install getmail6)" in said
    assert "1 failed" in said or "1 error" in said


def test_the_long_forms_run_only_when_asked_for(tmp_path: Path) -> None:
    files = {"test_a.py": LONG}
    assert "1 passed, 1 deselected" in run(tmp_path, files).stdout
    assert "1 passed, 1 deselected" in run(tmp_path, files, PYTEST_ADDOPTS="-m soak").stdout
