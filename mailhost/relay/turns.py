"""Whose turn it is: the higher priorities first (RFC 6710 section 4.2); within one each sender in his turn, however much he has."""

from collections import defaultdict, deque
from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

from mailhost.queue.values import Share

Item = TypeVar("Item")


def by_turns(items: Iterable[Item], share_of: Callable[[Item], Share]) -> list[Item]:
    """What one sender has of one priority stays in its order."""
    by_priority: defaultdict[int, defaultdict[int, deque[Item]]] = defaultdict(lambda: defaultdict(deque))
    for item in items:
        share = share_of(item)
        by_priority[share.priority][share.sender].append(item)
    return [item for priority in sorted(by_priority, reverse=True) for item in _dealt(by_priority[priority].values())]


def _dealt(of_senders: Iterable[deque[Item]]) -> Iterator[Item]:
    turns = deque(of_senders)
    while turns:
        its = turns.popleft()
        yield its.popleft()
        if its:
            turns.append(its)
