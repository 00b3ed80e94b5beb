"""Mailbox patterns of LIST and LSUB (RFC 3501 section 6.3.8): `*` is anything, `%` anything within one level. Pure.

All positions of the pattern are followed at once, as bits of one number: no pattern makes it slow.
"""

import re

from mailhost.store.names import INBOX, SEPARATOR

_RUN = re.compile(r"[*%]+")


class Pattern:
    """A compiled pattern."""

    __slots__ = ("_final", "_literals", "_stay", "_stay_in_level", "_wild")

    def __init__(self, text: str) -> None:
        text = _RUN.sub(lambda run: "*" if "*" in run[0] else "%", text)
        self._literals: dict[str, int] = {}
        self._wild = self._stay = self._stay_in_level = 0
        for place, mark in enumerate(text):
            bit = 1 << place
            if mark in "*%":
                self._wild |= bit
                self._stay |= bit
                self._stay_in_level |= bit if mark == "*" else 0
            else:
                self._literals[mark] = self._literals.get(mark, 0) | bit
        self._final = 1 << len(text)

    def matches(self, name: str) -> bool:
        states = self._skipping(1)
        for mark in name:
            stay = self._stay_in_level if mark == SEPARATOR else self._stay
            states = self._skipping((states & self._literals.get(mark, 0)) << 1 | states & stay)
            if not states:
                return False
        return bool(states & self._final)

    def _skipping(self, states: int) -> int:
        """A wildcard may stand for nothing; two never stand side by side."""
        return states | (states & self._wild) << 1


class Matcher:
    """Tells which mailboxes a LIST means; INBOX in any case."""

    def __init__(self, text: str) -> None:
        self._pattern, self._upper = Pattern(text), Pattern(text.upper() if text.isascii() else text)
        self._all = text == "*"

    def __call__(self, name: str) -> bool:
        return self._all or self._pattern.matches(name) or (name == INBOX and self._upper.matches(name))
