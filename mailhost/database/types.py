"""The one MetaData, column types that mean the same on both engines, and sets of numbers as one bound value."""

import json
from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Integer,
    LargeBinary,
    MetaData,
    Subquery,
    Text,
    bindparam,
    cast,
    false,
    select,
)
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import GenericFunction

from mailhost.database.hot import Hot

METADATA = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)

Identifier = BigInteger().with_variant(Integer, "sqlite")
"""63 bits; on SQLite only INTEGER PRIMARY KEY is the rowid."""
Number = BigInteger().with_variant(Integer, "sqlite")
Moment = BigInteger().with_variant(Integer, "sqlite")
"""Milliseconds since 1970, UTC."""
Octets = LargeBinary
String = Text


class json_each(GenericFunction[Any]):  # noqa: N801 - named as the SQL function it is
    """The elements of a JSON array as rows: SQLite's json_each, PostgreSQL's json_array_elements."""

    inherit_cache = True


class json_item(GenericFunction[Any]):  # noqa: N801 - named as the SQL it stands for
    """One item of an array within an array, by its place."""

    inherit_cache = True


@compiles(json_each, "postgresql")
def _json_each_postgresql(element: Any, compiler: SQLCompiler, **keywords: Any) -> str:
    return f"json_array_elements(CAST({compiler.process(element.clauses, **keywords)} AS json))"


@compiles(json_item, "sqlite")
def _json_item_sqlite(element: Any, compiler: SQLCompiler, **keywords: Any) -> str:
    value, place = element.clauses
    return f"json_extract({compiler.process(value, **keywords)}, '$[' || {compiler.process(place, **keywords)} || ']')"


@compiles(json_item, "postgresql")
def _json_item_postgresql(element: Any, compiler: SQLCompiler, **keywords: Any) -> str:
    value, place = element.clauses
    return f"({compiler.process(value, **keywords)} ->> {compiler.process(place, **keywords)})"


def one_of(column: ColumnElement[Any], numbers: Sequence[int]) -> ColumnElement[bool]:
    """Rows whose `column` is among `numbers`, any number of them.

    It reaches SQL as a range or as one JSON array, so that the limit on bound values (32,767) never applies.
    """
    if not numbers:
        return false()
    numbers = sorted(set(numbers))
    if numbers[-1] - numbers[0] + 1 == len(numbers):
        return column.between(numbers[0], numbers[-1])
    each = json_each(json.dumps(numbers)).table_valued("value")
    return column.in_(select(_number(each.c.value)))


class Among:
    """A hot statement about rows whose `column` is among some numbers, in both forms of `one_of`; `names` as those of `Hot`.

    `tx.found(*STATEMENT(numbers, *values))` runs it, the values in the order of the names.
    """

    __slots__ = ("_list", "_range")

    def __init__(self, statement: Any, column: ColumnElement[Any], *names: str) -> None:
        each = json_each(bindparam("numbers", type_=Text)).table_valued("value")
        within = column.between(bindparam("first"), bindparam("last"))
        self._range = Hot(statement.where(within), *names, "first", "last")
        self._list = Hot(statement.where(column.in_(select(_number(each.c.value)))), *names, "numbers")

    def __call__(self, numbers: Sequence[int], *values: object) -> tuple[Any, ...]:
        if len(numbers) > 0 and numbers[-1] - numbers[0] + 1 == len(numbers) == len(set(numbers)):
            return self._range, *values, numbers[0], numbers[-1]
        return self._list, *values, json.dumps(list(numbers))


def pairs(array: ColumnElement[Any]) -> Subquery:
    """An array of pairs as rows of `first` and `second`, to join with: each pair is looked up by its whole key."""
    each = json_each(array).table_valued("value")
    return select(
        cast(json_item(each.c.value, 0), BigInteger).label("first"),
        cast(json_item(each.c.value, 1), BigInteger).label("second"),
    ).subquery()


def array_of(numbers: Iterable[tuple[int, int]]) -> str:
    """What `pairs` reads."""
    return json.dumps(sorted(set(numbers)))


def _number(value: ColumnElement[Any]) -> ColumnElement[int]:
    """By way of text: PostgreSQL has no cast from json to bigint."""
    return cast(cast(value, Text), BigInteger)
