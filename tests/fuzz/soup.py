"""What the targets share: soups of a grammar's own words, which get further than random octets do; and steps, counted."""

import sys
from collections.abc import Callable, Iterable
from types import FrameType
from typing import Any

import pytest
from hypothesis import strategies as st

BOTH_FORMS = pytest.mark.parametrize("form", ["short", pytest.param("long", marks=pytest.mark.soak)])
"""The long form has thousands of examples, in scripts/soak."""
FEW, MANY = 8, 32


def soups(words: Iterable[bytes], most: int = 30) -> st.SearchStrategy[bytes]:
    """Words of the grammar in any order, now and then with octets of no grammar between them."""
    return st.lists(st.sampled_from(sorted(words)) | st.binary(max_size=3), max_size=most).map(b"".join)


def steps(call: Callable[[], Any]) -> int:
    """Lines of Python that a call runs. What a regular expression does is not counted: each is linear by its form."""
    count = 0

    def trace(_: FrameType, event: str, __: Any) -> Any:
        nonlocal count
        count += event == "line"
        return trace

    outer = sys.gettrace()
    sys.settrace(trace)
    try:
        call()
    finally:
        sys.settrace(outer)
    return count


def grows_linearly(read: Callable[[bytes], Any], piece: bytes, before: bytes = b"", after: bytes = b"") -> bool:
    """Whether four times as much takes four times the steps, and half of that again: what goes by the square takes sixteen."""
    few, many = (steps(lambda n=n: read(before + piece * n + after)) for n in (FEW, MANY))  # type: ignore[misc]  # mypy knows no default of a lambda
    return many <= few * (MANY // FEW) * 3 // 2 + 200
