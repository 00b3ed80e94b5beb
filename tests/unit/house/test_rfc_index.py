"""docs/rfc.md is made from the code."""

from importlib.machinery import SourceFileLoader
from importlib.util import module_from_spec, spec_from_loader
from pathlib import Path
from typing import Any

import pytest

SCRIPT = Path(__file__).parents[3] / "scripts" / "rfc_index"


@pytest.fixture(scope="module")
def index() -> Any:
    loader = SourceFileLoader("rfc_index", str(SCRIPT))
    spec = spec_from_loader("rfc_index", loader)
    assert spec is not None
    module = module_from_spec(spec)
    loader.exec_module(module)
    return module


CITATIONS = {
    "as section 4 of it says (RFC 6851 section 4.3).": [(6851, "4.3")],
    '"""Cited over a line\'s end: RFC 5321\n    section 4.5.3.1.8."""': [(5321, "4.5.3.1.8")],
    "# in a comment RFC 5321\n# section 4.1": [(5321, "4.1")],
    "RFC 6857, 6858": [(6857, ""), (6858, "")],
    "RFC 3501 and 7162 section 3.1.2, 3.2": [(3501, ""), (7162, "3.1.2"), (7162, "3.2")],
    "RFC 7162 sections 3.1.2, 3.2.5 and 4.1": [(7162, "3.1.2"), (7162, "3.2.5"), (7162, "4.1")],
    "RFC 1939, 250 messages": [(1939, "")],
    "RFC 5322 section 3. Then": [(5322, "3")],
    "RFC 4616 appendix A": [(4616, "A")],
    'Extension("MOVE", rfc=6851)': [(6851, "")],
    "rfc=(7162, 9051)": [(7162, ""), (9051, "")],
    "no RFC at all, 1939 it was": [],
}


@pytest.mark.parametrize(("text", "found"), CITATIONS.items())
def test_a_citation_is_found_with_its_section(index: Any, text: str, found: list[tuple[int, str]]) -> None:
    assert list(index.citations(text)) == found


def test_an_rfc_without_a_title_fails_by_name(
    index: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "a.py").write_text("# RFC 99999\n")
    monkeypatch.setattr(index, "CODE", tmp_path)
    assert index.main() == 1
    assert "no title for RFC 99999 in a.py" in capsys.readouterr().err


def test_sections_are_sorted_as_numbers(index: Any) -> None:
    row = index.Row({"4.10", "4.9", "3", "4"}, {"a.py"})
    assert "| 3, 4, 4.9, 4.10 |" in index.page({5321: row})
