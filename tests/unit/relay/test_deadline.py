"""The rules of DELIVERBY, mode by mode (RFC 2852 section 4)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailhost.ids import BlobId, DeliveryId, JourneyId, Millis
from mailhost.queue.values import Acceptance, Delivery, State
from mailhost.relay.deadline import by_of, ends_when, expired, is_over, tells_of_relay, tells_when

AT = 1_780_000_000_000


def accepted(seconds: int | None, mode: str | None) -> Acceptance:
    deliver_by = None if seconds is None else Millis(AT + seconds * 1000)
    return Acceptance(
        JourneyId(1), Millis(AT), "", "", None, "a@red.test", BlobId(1), b"", 1, deliver_by=deliver_by, by_mode=mode
    )


@pytest.mark.parametrize(
    ("mode", "keeps_time", "told"),
    [
        ("R", True, None),
        ("RT", True, True),
        ("N", True, None),
        ("N", False, False),
        ("NT", True, True),
        ("NT", False, False),
        (None, False, None),
        (None, True, None),
    ],
)
def test_who_hears_that_it_went_on(mode: str | None, keeps_time: bool, told: bool | None) -> None:
    assert tells_of_relay(accepted(60 if mode else None, mode), keeps_time=keeps_time) is told


@given(st.sampled_from(["R", "RT", "N", "NT"]), st.integers(-100, 100), st.integers(-200_000, 200_000))
def test_only_what_is_to_be_returned_is_ever_over_and_no_host_is_told_that_it_has_no_time(
    mode: str, seconds: int, after: int
) -> None:
    one, at = accepted(seconds, mode), Millis(AT + after)
    by = by_of(one, at)
    assert by is not None
    assert (by.mode, by.returns) == (mode, mode.startswith("R"))
    assert by.seconds * 1000 <= AT + seconds * 1000 - at < (by.seconds + 1) * 1000
    assert is_over(one, at) == (by.returns and by.seconds <= 0)


def test_without_a_time_there_is_none() -> None:
    one = accepted(None, None)
    assert (by_of(one, Millis(AT)), tells_when(one), ends_when(one), is_over(one, Millis(AT))) == (
        None,
        None,
        None,
        False,
    )


def test_a_time_that_was_over_when_it_came_has_been_told_by_another_host() -> None:
    assert tells_when(accepted(60, "NT")) == AT + 60_000
    assert tells_when(accepted(0, "N")) is tells_when(accepted(-5, "N")) is tells_when(accepted(60, "R")) is None
    assert (ends_when(accepted(60, "RT")), ends_when(accepted(60, "N"))) == (AT + 60_000, None)


def test_the_last_try_stands_beside_the_end() -> None:
    row = Delivery(DeliveryId(7), JourneyId(1), None, "b@blue.test", "b@blue.test", "blue.test", State.WAITING)
    said = expired(accepted(3_600, "R"), row, Millis(AT))
    assert (said.delivery, said.state, said.status) == (7, State.EXPIRED, "5.4.7")
    assert said.reason == "its sender wanted it back when it was not delivered within 3,600 seconds"
