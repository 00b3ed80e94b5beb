"""Durations and octets read back as they were written."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailhost.config.units import LONGEST, MOST_OCTETS, Duration, Octets

DURATIONS = st.integers(0, LONGEST // timedelta(milliseconds=1)).map(lambda count: Duration(milliseconds=count))
OCTETS = st.integers(0, MOST_OCTETS).map(Octets)


@given(DURATIONS)
def test_a_duration_reads_back_as_it_was_written(duration: Duration) -> None:
    assert Duration.read(str(duration)) == duration


@given(OCTETS)
def test_octets_read_back_as_they_were_written(octets: Octets) -> None:
    assert Octets.read(str(octets)) == octets
    assert Octets.read(int(octets)) == octets


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("5m", timedelta(minutes=5)),
        ("30s", timedelta(seconds=30)),
        ("30 s", timedelta(seconds=30)),
        ("250ms", timedelta(milliseconds=250)),
        ("24h", timedelta(days=1)),
        ("0s", timedelta(0)),
    ],
)
def test_a_duration_has_a_unit(written: str, meant: timedelta) -> None:
    assert Duration.read(written) == meant


@pytest.mark.parametrize(("written", "meant"), [("64KiB", 65_536), ("50MiB", 52_428_800), ("0B", 0), (7, 7)])
def test_octets_have_a_unit_or_are_counted(written: object, meant: int) -> None:
    assert Octets.read(written) == meant


@given(st.text() | st.integers() | st.booleans() | st.floats() | st.none() | st.lists(st.integers()))
def test_what_is_no_duration_is_refused_with_a_cure(written: object) -> None:
    try:
        assert str(Duration.read(written))
    except ValueError as problem:
        assert str(problem).startswith("write it like") or str(problem).endswith("is too large; write a smaller value")


@pytest.mark.parametrize(
    "written", ["5", "m", "-5m", "5 minutes", "1e3s", "٣s", "5m5s", "", "9" * 40 + "s", 5, 5.0, True]
)
def test_no_unit_is_guessed(written: object) -> None:
    with pytest.raises(ValueError, match="write it like"):
        Duration.read(written)


@pytest.mark.parametrize("written", ["64kb", "64K", "-1B", "1.5MiB", -1, 1.5, True, None, 1 << 63])
def test_octets_are_not_guessed(written: object) -> None:
    with pytest.raises(ValueError, match="write it like"):
        Octets.read(written)


def test_more_than_a_century_is_too_much() -> None:
    with pytest.raises(ValueError, match="99999d is too large"):
        Duration.read("99999d")
