"""What a running server takes over from its file at SIGHUP, and what waits for the next start."""

from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase

import msgspec

from mailhost.config.manual import shown
from mailhost.config.settings import LISTENERS, Config, Section

RELOADED = (
    "server.host",
    "server.grace",
    "tls.*",
    "login.allow_plaintext",
    "login.tries",
    "login.failure_delay",
    "login.cache_seconds",
    "login.queue",
    "store.keep_*",
    "store.orphan_age",
    "store.sweep_interval",
    "limits.header_octets",
    "limits.most_mailboxes",
    "log.*",
    "relay.networks",
    *(f"{name}.*" for name in LISTENERS),
)
"""Patterns of `section.key`; connections that are open keep what they began with."""
NOT_RELOADED = tuple(f"{name}.{key}" for name in LISTENERS for key in ("enabled", "port"))
"""Of these, the sockets: they were bound by root, perhaps."""


@dataclass(frozen=True, slots=True)
class Change:
    """A setting that the file says otherwise than before."""

    name: str
    before: str
    after: str

    def __str__(self) -> str:
        return f"{self.name}: {self.before} -> {self.after}"


@dataclass(frozen=True, slots=True)
class Reload:
    """The settings in force from now on; what was taken over, and what was not."""

    config: Config
    taken: tuple[Change, ...]
    at_restart: tuple[Change, ...]


def is_reloaded(name: str) -> bool:
    """Whether SIGHUP suffices for `section.key`."""
    return name not in NOT_RELOADED and any(fnmatchcase(name, pattern) for pattern in RELOADED)


def reload(old: Config, new: Config) -> Reload:
    """Take over from `new` what can be."""
    changes = list(_changes(old, new))
    taken = tuple(each for each in changes if is_reloaded(each.name))
    merged = msgspec.structs.replace(
        old, **{name: _merged(name, getattr(old, name), getattr(new, name)) for name in Config.__struct_fields__}
    )
    return Reload(merged, taken, tuple(each for each in changes if each not in taken))


def _merged(name: str, old: Section, new: Section) -> Section:
    values = {key: getattr(new, key) for key in old.__struct_fields__ if is_reloaded(f"{name}.{key}")}
    return msgspec.structs.replace(old, **values)


def _changes(old: Config, new: Config) -> Iterator[Change]:
    for name in Config.__struct_fields__:
        before, after = getattr(old, name), getattr(new, name)
        for key in before.__struct_fields__:
            if getattr(before, key) != getattr(after, key):
                yield Change(f"{name}.{key}", shown(getattr(before, key)), shown(getattr(after, key)))
