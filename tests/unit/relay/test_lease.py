"""A lease that is over stays over: what was claimed under it may have gone to somebody else."""

from mailhost.ids import Millis
from mailhost.relay.lease import Lease


class Hands:
    """Of a clock."""

    def __init__(self) -> None:
        self.at = 0

    def __call__(self) -> Millis:
        return Millis(self.at)


def test_it_holds_as_long_as_it_is_renewed_in_time() -> None:
    clock = Hands()
    lease = Lease(clock, Millis(10))
    for moment in range(0, 100, 5):
        clock.at = moment
        assert not lease.is_over
        lease.renew(Millis(moment + 10))
    clock.at += 10
    assert lease.is_over


def test_renewed_too_late_it_is_over_for_good() -> None:
    clock = Hands()
    lease = Lease(clock, Millis(10))
    clock.at = 10
    lease.renew(Millis(20))
    assert lease.is_over


def test_over_it_stays_when_the_clock_goes_back() -> None:
    clock = Hands()
    lease = Lease(clock, Millis(10))
    clock.at = 10
    assert lease.is_over
    clock.at = 0
    assert lease.is_over
