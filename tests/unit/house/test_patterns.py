"""No pattern asks for what `re` gets wrong on Python 3.11.0 to 3.11.4; Debian 12 has 3.11.2."""

import re
from pathlib import Path

TOP = Path(__file__).parents[3]
POSSESSIVE_GROUP = re.compile(r"\)(?:[*+?]|\{[0-9,]+\})\+|\(\?>")
"""`(?:ab)*+` and `(?>ab)` there go on in the middle of a turn that failed (CPython gh-106052). A class, as in `[a-z]*+`, is well."""


def test_a_possessive_group_is_found() -> None:
    assert all(POSSESSIVE_GROUP.search(written) for written in (r"(?:\.b)*+", "(ab)++", "(ab){1,2}+", "(?>ab)"))
    assert not any(POSSESSIVE_GROUP.search(written) for written in (r"[a-z]*+", r"\s++", "(ab)*", "(a)+"))


def test_no_group_in_a_pattern_is_possessive() -> None:
    for path in (TOP / "mailhost").rglob("*.py"):
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
            assert not POSSESSIVE_GROUP.search(line), f"{path.relative_to(TOP)}:{number}: {line.strip()}"
