"""What every test may lean on: coroutines run, what the machine lacks is said plainly, and hypothesis has three profiles."""

import asyncio
import inspect
import os
import shutil
from collections.abc import Generator, Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

from tests.postgresql import Absent, Cluster

REQUIRE_ALL = os.environ.get("MAILHOST_TEST_REQUIRE") == "all"
"""Whether a test that would be skipped fails."""
PACKAGES = {"mbsync": "isync", "getmail": "getmail6", "offlineimap": "offlineimap3"}
"""Debian's name for a program's package, where it is another."""
TEST_SECONDS = 120
"""How long a coroutine test may take before it counts as hung."""

for name, examples in {"quick": 25, "ci": 100, "soak": 5_000}.items():
    settings.register_profile(
        name,
        max_examples=examples,
        deadline=None,
        suppress_health_check=[HealthCheck.too_slow],
        print_blob=True,
        derandomize=name == "quick",  # the same examples for everybody: what is found anew is found by the others
    )  # no deadline: a busy machine is no fault
settings.load_profile("ci")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """The long forms run when they are asked for."""
    if "soak" in config.getoption("markexpr"):
        return
    long = [item for item in items if item.get_closest_marker("soak")]
    if long:
        config.hook.pytest_deselected(items=long)
        items[:] = [item for item in items if item not in long]


def pytest_runtest_setup(item: pytest.Item) -> None:
    """`@pytest.mark.client("swaks", "curl")` needs these programs."""
    for mark in item.iter_markers("client"):
        missing = [program for program in mark.args if shutil.which(program) is None]
        if missing:
            packages = " ".join(PACKAGES.get(program, program) for program in missing)
            pytest.skip(f"not installed here: {', '.join(missing)} (Debian: apt install {packages})")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    _fail_skipped(report)
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(
    collector: pytest.Collector,
) -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    report = yield
    _fail_skipped(report)
    return report


def _fail_skipped(report: Any) -> None:
    """Where everything is required, what would be skipped fails; an expected failure is no skip."""
    if REQUIRE_ALL and report.skipped and not hasattr(report, "wasxfail"):
        report.outcome = "failed"
        report.longrepr = f"skipped, and MAILHOST_TEST_REQUIRE=all: {report.longrepr[-1]}"


def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool | None:
    """A test may be a coroutine. A folder whose tests need another loop has a hook of its own, which comes before this one."""
    if not inspect.iscoroutinefunction(pyfuncitem.obj):
        return None
    wanted = inspect.signature(pyfuncitem.obj).parameters
    arguments = {name: pyfuncitem.funcargs[name] for name in wanted if name in pyfuncitem.funcargs}
    asyncio.run(asyncio.wait_for(pyfuncitem.obj(**arguments), TEST_SECONDS))
    return True


@pytest.fixture(scope="session")
def postgresql_cluster() -> Iterator[Cluster]:
    """A private PostgreSQL server for this session; skips where its programs are missing."""
    try:
        cluster = Cluster.start()
    except Absent as absent:
        pytest.skip(str(absent))
    try:
        yield cluster
    finally:
        cluster.stop()


@pytest.fixture
def postgresql_url(postgresql_cluster: Cluster) -> Iterator[str]:
    """The URL of an empty database that is this test's own."""
    name = postgresql_cluster.create()
    try:
        yield postgresql_cluster.url(name)
    finally:
        postgresql_cluster.drop(name)
