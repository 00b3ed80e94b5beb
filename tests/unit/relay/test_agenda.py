"""Which share is due when, and whose turn it is."""

from hypothesis import given
from hypothesis import strategies as st

from mailhost.ids import Millis
from mailhost.queue.values import Share
from mailhost.relay.agenda import Agenda
from mailhost.relay.turns import by_turns

SOON, LATER = Millis(10), Millis(20)


def agenda(*shares: Share) -> Agenda:
    made = Agenda(lambda destination: destination.rpartition(".")[2])
    for each in shares:
        made.add(each, SOON)
    return made


def test_a_lane_is_due_at_its_earliest_moment() -> None:
    made = agenda()
    made.add(Share("a.x"), LATER)
    made.add(Share("b.x"), SOON)
    made.add(Share("a.x"), Millis(15))
    assert made.next_moment == SOON
    assert made.lanes(Millis(9)) == set()
    assert made.lanes(SOON) == {"x"}
    assert made.take("x", SOON, 9) == [Share("b.x")]
    made.again("x")
    assert made.next_moment == 15
    assert made.destinations("x") == ["a.x"]


def test_nothing_of_a_closed_lane_is_due() -> None:
    made = agenda(Share("a.x"), Share("a.y"))
    made.close("x", LATER)
    assert made.take("x", SOON, 9) == []
    assert made.take("y", SOON, 9) == [Share("a.y")]
    made.add(Share("b.x"), SOON)
    assert made.lanes(LATER) == {"x"}
    assert made.take("x", LATER, 9) == [Share("a.x"), Share("b.x")]


def test_whoever_asks_opens_what_is_closed() -> None:
    made = agenda(Share("a.x"))
    made.lanes(SOON)
    made.close("x", LATER)
    made.open_all()
    assert made.next_moment == SOON
    assert made.take("x", SOON, 9) == [Share("a.x")]


def test_what_is_put_back_for_the_same_moment_is_noted_once() -> None:
    """A share with something for tomorrow is taken a thousand times a second until then."""
    made = agenda()
    for _ in range(100):
        made.add(Share("a.x"), LATER)
        made.add(Share("a.x"), SOON)
        made.lanes(SOON)
        assert made.take("x", SOON, 9) == [Share("a.x")]
    assert len(made._moments) == 1


def test_each_sender_has_his_turn() -> None:
    """A mailing to a thousand destinations keeps nobody waiting."""
    mailing = [Share(f"{at}.x", 1) for at in range(1_000)]
    made = agenda(*mailing, Share("a.x", 2), Share("b.x", 2))
    assert made.take("x", SOON, 4) == [mailing[0], Share("a.x", 2), mailing[1], Share("b.x", 2)]
    assert made.take("x", SOON, 1) == [mailing[2]]


def test_the_higher_priority_goes_first() -> None:
    made = agenda(Share("a.x", 1), Share("a.x", 1, 6), Share("a.x", 2, -3), Share("b.x", 3, 6))
    assert made.take("x", SOON, 9) == [Share("a.x", 1, 6), Share("b.x", 3, 6), Share("a.x", 1), Share("a.x", 2, -3)]


SHARES = st.builds(Share, st.just("a"), st.integers(0, 3), st.integers(-1, 1))


@given(st.lists(SHARES))
def test_turns_lose_nothing_and_differ_by_one_at_most(shares: list[Share]) -> None:
    found = by_turns(enumerate(shares), lambda item: item[1])
    assert sorted(found) == list(enumerate(shares))
    assert [share.priority for _, share in found] == sorted((each.priority for each in shares), reverse=True)
    for priority in (-1, 0, 1):
        mine = [share.sender for _, share in found if share.priority == priority]
        totals = {each: mine.count(each) for each in mine}
        for end in range(len(mine)):
            had = {each: mine[:end].count(each) for each in totals}
            waiting = [had[each] for each in totals if had[each] < totals[each]]
            assert not waiting or max(had.values()) - min(waiting) <= 1 or max(waiting) - min(waiting) <= 1
