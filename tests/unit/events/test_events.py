"""Events go to whoever listens; whoever cannot listen is nobody's trouble."""

from mailhost.events.event import FAULT, Event, Events


def test_a_sink_that_fails_stops_neither_the_publisher_nor_the_other_sinks() -> None:
    def full(_: Event) -> None:
        raise BrokenPipeError

    heard: list[Event] = []
    events = Events()
    events.subscribe(full)
    events.subscribe(heard.append)
    events.publish(FAULT, cause="something")
    assert [event.cause for event in heard] == ["something"]
