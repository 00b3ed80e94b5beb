"""The README in Chinese says what the README says: the same sections, commands, ports, settings and files.

Where one is changed, this test names the section and what the other lacks.
"""

import re
from collections import Counter
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path

import pytest

TOP = Path(__file__).parents[3]
ENGLISH, CHINESE = "README.md", "README.zh-CN.md"
OF_THE_OTHER = {ENGLISH, CHINESE}
"""Each may point to the other."""
CHINESE_LETTER = re.compile(r"[\u4e00-\u9fff]")
OWN_NAME = re.compile(r"[A-Za-z0-9 ,.*`()/:;_+=\u3001\uff08\uff09\uff0c\uff1b-]*")
"""A heading or a cell that is the same in every language."""


@dataclass(frozen=True)
class Section:
    heading: str
    lines: list[str]

    @property
    def level(self) -> str:
        return self.heading.split(" ")[0]

    @property
    def commands(self) -> list[str]:
        """The lines of its code, without what is said about them; blanks at the ends do not count."""
        return [re.sub(r"(?<=\S) {2,}#.*", "", line).strip() for line in self._code() if line.strip()]

    @property
    def words(self) -> Counter[str]:
        """What stands between backticks in its text: commands, settings, files."""
        return Counter(" ".join(word.split()) for word in re.findall(r"`([^`]+)`", self.prose))

    @property
    def links(self) -> Counter[str]:
        return Counter(link for link in re.findall(r"\]\(([^)]+)\)", self.prose) if link not in OF_THE_OTHER)

    @property
    def numbers(self) -> Counter[str]:
        """Of ports, versions and RFCs."""
        return Counter(re.findall(r"\d{2,}(?:\.\d+)*", self.prose))

    @property
    def tables(self) -> list[int]:
        """How many columns each row has."""
        return [line.count("|") - 1 for line in self.lines if line.startswith("|")]

    @property
    def items(self) -> int:
        return sum(line.startswith("- ") for line in self.lines)

    @property
    def prose(self) -> str:
        code = set(self._code())
        return "\n".join(line for line in [self.heading, *self.lines] if line not in code)

    @property
    def paragraphs(self) -> list[str]:
        return [" ".join(each.split()) for each in re.split(r"\n\s*\n", self.prose) if each.strip()]

    def _code(self) -> list[str]:
        found, fenced = [], False
        for line in self.lines:
            if line.startswith("```"):
                fenced = not fenced
            elif fenced or line.startswith("    "):
                found.append(line)
        return found


def sections(name: str) -> list[Section]:
    lines = (TOP / name).read_text(encoding="utf-8").splitlines()
    fenced, starts = False, []
    for number, line in enumerate(lines):
        fenced ^= line.startswith("```")
        if re.match(r"#+ ", line) and not fenced:
            starts.append(number)
    assert starts[0] == 0
    return [Section(lines[a], lines[a + 1 : b]) for a, b in zip(starts, [*starts[1:], len(lines)], strict=True)]


PAIRS = list(zip_longest(sections(ENGLISH), sections(CHINESE), fillvalue=Section("(none)", [])))
each_section = pytest.mark.parametrize(("english", "chinese"), PAIRS, ids=lambda section: section.heading.strip("# "))


@each_section
def test_the_sections_are_the_same(english: Section, chinese: Section) -> None:
    assert english.level == chinese.level
    assert english.tables == chinese.tables
    assert english.items == chinese.items


@each_section
def test_the_commands_are_the_very_same(english: Section, chinese: Section) -> None:
    assert english.commands == chinese.commands


@each_section
def test_both_name_the_same_files_settings_and_numbers(english: Section, chinese: Section) -> None:
    assert english.words == chinese.words
    assert english.links == chinese.links
    assert english.numbers == chinese.numbers


@each_section
def test_the_chinese_one_is_in_chinese(english: Section, chinese: Section) -> None:
    for paragraph in chinese.paragraphs:
        for part in re.split(r"[|#]", paragraph):
            may_be_a_name = paragraph.startswith(("|", "#"))
            assert CHINESE_LETTER.search(part) or (may_be_a_name and OWN_NAME.fullmatch(part)), part
    assert len(english.paragraphs) <= len(chinese.paragraphs)


def test_it_has_the_words_of_the_clients() -> None:
    text = (TOP / CHINESE).read_text(encoding="utf-8")
    for word in (
        "Foxmail",
        "网易邮箱大师",
        "接收邮件服务器",
        "发送邮件服务器",
        "收件服务器",
        "发件服务器",
        "安全密码验证",
    ):
        assert word in text
