"""What docs/settings.md calls reloaded at SIGHUP has an effect at SIGHUP: each setting reaches those who live by it."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast, get_args, get_origin

import msgspec
import pytest
import structlog

from mailhost.administration.sweeper import Sweeper
from mailhost.cli.authority import Folder, ensure
from mailhost.config.load import hints, sections
from mailhost.config.reload import is_reloaded
from mailhost.config.settings import Config
from mailhost.config.units import Duration, Octets, seconds
from mailhost.conversation.services import Limits, Services
from mailhost.events.event import Events
from mailhost.service import factories, login_settings, sweep_settings, take
from mailhost.transport.connection import ConversationFactory
from mailhost.transport.tls import ServerTLS
from mailhost.users.passwords import Logins

ELSEWHERE = {"tls.certificate", "tls.key", "server.grace"} | {f"{name}.without" for name in Config.__struct_fields__}
"""Proved in tests/journeys/test_reload.py: files, an extension that is not announced, the end of a server."""
NAMES = [
    name
    for section, table in sections(Config())
    for key in table.__struct_fields__
    if is_reloaded(name := f"{section}.{key}") and name not in ELSEWHERE
]


def other(hint: Any, value: Any) -> Any:
    """A value that the setting may have, and has not."""
    if isinstance(value, bool):
        return not value
    if isinstance(value, Duration):
        return Duration(seconds=(value + seconds(1)).total_seconds())
    if isinstance(value, Octets):
        return Octets(value + 1024)
    if isinstance(value, int):
        return value + 1
    if isinstance(value, tuple):  # relay.networks
        return (*value, "192.0.2.0/24")
    choices = get_args(hint) if get_origin(hint) is not None else ()
    return next((each for each in choices if isinstance(each, str) and each != value), "other.example.org")


def changed(config: Config, name: str) -> Config:
    section, _, key = name.partition(".")
    table = getattr(config, section)
    fresh = other(hints(type(table))[key], getattr(table, key))
    assert fresh != getattr(table, key)
    return msgspec.structs.replace(config, **{section: msgspec.structs.replace(table, **{key: fresh})})


class Parts:
    """All that lives by the settings, without a database behind it."""

    def __init__(self, config: Config, tls: ServerTLS) -> None:
        nothing = cast("Any", None)
        self.logins = Logins(nothing, login_settings(config))
        self.services = Services(
            host=config.server.host,
            database=nothing,
            directory=nothing,
            blobs=nothing,
            hints=nothing,
            indexes=nothing,
            logins=self.logins,
            presence=nothing,
            events=Events(),
            limits=Limits(),
            allow_plaintext=config.login.allow_plaintext,
            locks=Path(),
            failure_delay=config.login.failure_delay,
        )
        self.sweeper = Sweeper(nothing, nothing, sweep_settings(config))
        self.tls = tls
        self.listeners = dict(factories(config, self.services, tls))

    def take(self, config: Config) -> None:
        take(config, services=self.services, sweeper=self.sweeper, listeners=self.listeners, tls=self.tls)

    def state(self) -> list[Any]:
        log = structlog.get_config()
        return [
            self.sweeper.settings,
            self.logins.settings,
            self.logins.hasher.most_waiting,
            log["wrapper_class"],
            type(log["processors"][-1]),
            *(each for factory in self.listeners.values() for each in _of(factory)),
        ]


def _of(factory: ConversationFactory) -> Iterator[Any]:
    """What a new connection goes by; of its conversation what is no table of commands."""
    yield from (factory.timeout, factory.hello_timeout, factory.limit._most, factory.limit._most_per_address)
    closed_over = getattr(factory.conversation, "__closure__", None)
    assert closed_over, "a conversation is a closure over its services and settings"
    values = [cell.cell_contents for cell in closed_over]
    yield from (each for each in values if type(each).__name__.endswith(("Services", "Settings")))


@pytest.fixture(scope="module")
def parts(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Parts]:
    folder = Folder(tmp_path_factory.mktemp("tls"))
    ensure(folder, ["localhost"])
    made = Parts(Config(), ServerTLS(folder.certificate, folder.key))
    yield made
    made.logins.close()
    structlog.reset_defaults()


@pytest.mark.parametrize("name", NAMES)
def test_a_setting_that_is_reloaded_reaches_those_who_live_by_it(name: str, parts: Parts) -> None:
    parts.take(Config())
    before = parts.state()
    parts.take(Config())
    assert parts.state() == before
    parts.take(changed(Config(), name))
    assert parts.state() != before
