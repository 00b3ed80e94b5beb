"""The house's own promises to the tests."""

import asyncio

import pytest

from tests.postgresql import Cluster


async def test_a_coroutine_runs_in_a_loop() -> None:
    assert asyncio.get_running_loop().is_running()


@pytest.mark.xfail(raises=AssertionError, reason="shows that a coroutine's assertion counts")
async def test_a_coroutine_can_fail() -> None:
    await asyncio.sleep(0)
    raise AssertionError


@pytest.mark.postgresql
async def test_each_test_has_a_database_of_its_own(postgresql_url: str) -> None:
    assert await made_table(postgresql_url)


@pytest.mark.postgresql
async def test_each_test_has_a_database_of_its_own_again(postgresql_url: str) -> None:
    assert await made_table(postgresql_url)


@pytest.mark.postgresql
def test_a_template_is_filled_once(postgresql_cluster: Cluster) -> None:
    filled: list[str] = []
    first, second = (postgresql_cluster.create_like("of this test", filled.append) for _ in range(2))
    assert len(filled) == 1
    assert first != second


async def made_table(url: str) -> bool:
    """Whether the table was not there before."""
    import asyncpg

    connection = await asyncpg.connect(url.replace("+asyncpg", ""))
    try:
        await connection.execute("CREATE TABLE mark (number int)")
    finally:
        await connection.close()
    return True
