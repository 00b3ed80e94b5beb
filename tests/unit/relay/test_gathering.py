"""When failures are told together: the first notice waits for a while, each further one for twice as long."""

from datetime import timedelta

import pytest

from mailhost.ids import JourneyId, Millis
from mailhost.relay import gathering
from mailhost.relay.gathering import Gathering

MINUTE = 60_000
ONE, OTHER = JourneyId(1), JourneyId(2)


class Time:
    def __init__(self) -> None:
        self.at = Millis(1_000_000)

    def __call__(self) -> Millis:
        return self.at

    def passes(self, minutes: float) -> None:
        self.at = Millis(self.at + int(minutes * MINUTE))


def test_failures_wait_for_others_that_are_on_their_way_but_not_for_long() -> None:
    time = Time()
    its = Gathering(timedelta(minutes=1), time)
    its.add(ONE, is_last=False)
    time.passes(0.5)
    its.add(ONE, is_last=False)
    assert its.take() == []
    time.passes(0.5)
    assert its.take() == [ONE]
    assert not its.holds(ONE)
    assert its.next_moment is None


def test_the_last_one_makes_an_end_of_it() -> None:
    time = Time()
    its = Gathering(timedelta(minutes=1), time)
    its.add(ONE, is_last=False)
    its.add(OTHER, is_last=False)
    its.add(ONE, is_last=True)
    assert its.take() == [ONE]


def test_each_further_notice_comes_after_twice_the_time() -> None:
    time = Time()
    its = Gathering(timedelta(minutes=1), time)
    moments = []
    begun = time()
    while time() - begun < 5 * 24 * 60 * MINUTE:  # something fails each minute for five days
        its.add(ONE, is_last=False)
        time.passes(1)
        if its.take():
            moments.append((time() - begun) // MINUTE)
            its.tells(ONE)
            assert its.is_early(ONE)
    assert moments[:5] == [1, 2, 4, 8, 16]
    assert len(moments) == 13


def test_what_is_too_much_for_memory_is_asked_of_the_ledger(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gathering, "MOST_REMEMBERED", 1)
    its = Gathering(timedelta(minutes=1), Time())
    its.look = False
    looks = []
    for journey in (ONE, ONE, OTHER):
        its.add(journey, is_last=False)
        looks.append(its.look)
    assert looks == [False, False, True]
    assert not its.holds(OTHER)
