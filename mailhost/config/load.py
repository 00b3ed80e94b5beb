"""A file and overrides become a `Config`, or one line says what is wrong."""

import difflib
import ipaddress
import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, get_type_hints
from urllib.parse import urlsplit

import msgspec

from mailhost.config.networks import NetworkProblem, read_network
from mailhost.config.problem import ConfigProblem
from mailhost.config.routes import RouteProblem, read_route
from mailhost.config.settings import Config, Section
from mailhost.config.units import Bound, Duration, Octets

OVERRIDE = "--set"
"""What a problem names as its source when the command line is at fault."""
LARGEST_FILE = 1 << 20
CURES: Mapping[Any, str] = {
    bool: "write true or false",
    int: "write a whole number",
    str: 'write a text in quotes: "..."',
    tuple: 'write a list of texts in quotes: ["...", "..."]',
    dict: 'write a table of texts: {"..." = "..."}',
    tuple[Duration, ...]: 'write a list of durations: ["1m", "5m"]',
    dict[str, int]: 'write a table of numbers: {"..." = 60}',
}
_PLACE = re.compile(r"(?s)(?P<what>.*) - at `\$\.?(?P<key>.*)`")


def load(path: Path | None, overrides: Iterable[str] = ()) -> Config:
    """Read the settings; `overrides` are `SECTION.KEY=VALUE`. Without a file the defaults hold. Raises `ConfigProblem`."""
    if path is None:
        return parse("", OVERRIDE, Path.cwd(), overrides)
    return parse(read_text(path), path.name, path.absolute().parent, overrides)


def read_text(path: Path) -> str:
    """The text of a file of settings. Raises `ConfigProblem`."""
    try:
        with path.open("rb") as file:
            octets = file.read(LARGEST_FILE + 1)
    except FileNotFoundError:
        raise ConfigProblem(
            str(path), "", "no such file; name yours with --config PATH, or make one: mailhost setup"
        ) from None
    except OSError as error:
        raise ConfigProblem(str(path), "", f"cannot be read: {error.strerror}") from None
    if len(octets) > LARGEST_FILE:
        raise ConfigProblem(str(path), "", "is not a file of settings: it is larger than 1MiB")
    try:
        return octets.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise ConfigProblem(str(path), "", "is not written in UTF-8") from None


def parse(text: str, source: str, folder: Path, overrides: Iterable[str] = ()) -> Config:
    """Settings from TOML. `source` is the name that problems carry; relative paths count from `folder`."""
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigProblem(source, "", f"is not TOML: {error}") from None
    config = convert(data, source)
    for override in overrides:
        source = OVERRIDE
        section, key, value = split_override(override)
        convert({section: {key: value}}, OVERRIDE)  # so that the one at fault is named
        data.setdefault(section, {})[key] = value
        config = convert(data, OVERRIDE)
    _check_ports(config, source)
    _check_smarthost(config, source)
    return _with_absolute_paths(config, folder)


def split_override(written: str) -> tuple[str, str, object]:
    """`SECTION.KEY=VALUE`; VALUE is a TOML value, else a string. Raises `ConfigProblem`."""
    name, equals, value = written.partition("=")
    section, dot, key = name.strip().partition(".")
    if not (equals and dot and section and key):
        raise ConfigProblem(OVERRIDE, written, "write it as SECTION.KEY=VALUE, such as smtp.port=2525")
    try:
        read = tomllib.loads(f"value = {value}")
    except tomllib.TOMLDecodeError:
        return section, key, value
    return section, key, read["value"] if read.keys() == {"value"} else value


def convert(data: Mapping[str, Any], source: str) -> Config:
    """Raises `ConfigProblem` for the first key or value that is wrong."""
    _check_keys(data, source)
    try:
        config = msgspec.convert(data, Config, dec_hook=_read_value)
    except msgspec.ValidationError as error:
        raise _translated(error, source) from None
    for name, section in sections(config):
        _check_bounds(name, section, source)
    _check_url(config, source)
    if config.login.argon2_memory < 8 * 1024 * config.login.argon2_lanes:  # RFC 9106 section 3.1
        raise ConfigProblem(source, "login.argon2_memory", "set at least 8KiB for each of login.argon2_lanes")
    _check_routes(config, source)
    _check_networks(config, source)
    _check_connect_map(config, source)
    return config


def sections(config: Config) -> Iterator[tuple[str, Section]]:
    """Each table with its name, in the order of the file."""
    for name in Config.__struct_fields__:
        yield name, getattr(config, name)


def hints(section: type[Section]) -> dict[str, Any]:
    """The type of each setting, its bounds included."""
    return get_type_hints(section, include_extras=True)


def bounds(hint: Any) -> list[Bound]:
    return [bound for bound in getattr(hint, "__metadata__", ()) if isinstance(bound, Bound)]


def _check_keys(data: Mapping[str, Any], source: str) -> None:
    known = {name: type(section).__struct_fields__ for name, section in sections(Config())}
    for name, table in data.items():
        if name not in known:
            raise ConfigProblem(source, name, _unknown(name, table, known))
        if not isinstance(table, Mapping):
            continue
        for key in table:
            if key not in known[name]:
                raise ConfigProblem(source, f"{name}.{key}", f"unknown key{_meant(name, key, known)}")


def _unknown(name: str, value: object, known: Mapping[str, tuple[str, ...]]) -> str:
    """A section, or a key that stands above all sections."""
    if isinstance(value, Mapping):
        return "unknown section" + (_similar(name, list(known)) or f"; there are {', '.join(known)}")
    owners = [section for section, keys in known.items() if name in keys]
    return "stands outside of every section" + (f"; write it below its own, such as [{owners[0]}]" if owners else "")


def _meant(section: str, key: str, known: Mapping[str, tuple[str, ...]]) -> str:
    """The key that was meant: a similar one here, or the same one elsewhere."""
    if cure := _similar(key, known[section], f"{section}."):
        return cure
    elsewhere = [f"{other}.{key}" for other, keys in known.items() if key in keys]
    return f"; did you mean {elsewhere[0]}?" if elsewhere else f"; [{section}] has {', '.join(known[section])}"


def _similar(word: str, words: Iterable[str], prefix: str = "") -> str:
    found = difflib.get_close_matches(word, list(words), 1)
    return f"; did you mean {prefix}{found[0]}?" if found else ""


def _read_value(kind: type, written: object) -> object:
    """Here msgspec asks for the types that are not its own."""
    if issubclass(kind, Duration | Octets):
        return kind.read(written)
    if kind is Path and isinstance(written, str) and written and "\0" not in written:
        return Path(written)
    raise ValueError('write a path in quotes: "/..."')


def _translated(error: msgspec.ValidationError, source: str) -> ConfigProblem:
    found = _PLACE.fullmatch(str(error))
    if found is None:
        return ConfigProblem(source, "", str(error))
    key = found["key"].partition("[")[0]  # of a list, which of its values it was does not matter
    return ConfigProblem(source, key, _cure(key, found["what"]))


def _cure(place: str, what: str) -> str:
    section, dot, key = place.partition(".")
    if not dot:
        return f"is a section; write [{section}] and its keys below"
    hint = hints(type(getattr(Config(), section)))[key]
    choices = getattr(hint, "__args__", ()) if what.startswith("Invalid enum") or "Literal" in str(hint) else ()
    if choices:
        return "write " + " or ".join(f'"{choice}"' for choice in choices)
    if what.startswith("write "):
        return what
    whole = hint.__origin__ if hasattr(hint, "__metadata__") else hint
    return CURES.get(whole) or CURES.get(_plain(whole), what)


def _plain(hint: Any) -> Any:
    return getattr(hint, "__origin__", hint)


def _check_bounds(name: str, section: Section, source: str) -> None:
    for key, hint in hints(type(section)).items():
        value = getattr(section, key)
        for bound in bounds(hint):
            if not bound.allows(value):
                raise ConfigProblem(source, f"{name}.{key}", bound.refusal(value))


def _check_ports(config: Config, source: str) -> None:
    """Two listeners cannot share a port. Only the whole is looked at: overrides may swap two."""
    taken: dict[int, str] = {}
    for name, listener in config.listeners.items():
        if (other := taken.setdefault(listener.port, name)) != name:
            raise ConfigProblem(
                source, f"{name}.port", f"{listener.port} is the port of {other}, too; give one of them another"
            )


def _check_url(config: Config, source: str) -> None:
    url = config.database.url
    if url != "sqlite" and not _is_postgresql(url):
        raise ConfigProblem(
            source, "database.url", 'write "sqlite" or "postgresql+asyncpg://USER:PASSWORD@HOST:PORT/NAME"'
        )


def _is_postgresql(url: str) -> bool:
    try:
        parts = urlsplit(url)
        return parts.scheme == "postgresql+asyncpg" and bool(parts.hostname) and parts.port != 0 and len(parts.path) > 1
    except ValueError:  # the port is not a number, or the address has half a bracket
        return False


def _check_routes(config: Config, source: str) -> None:
    for domain, written in config.relay.routes.items():
        try:
            read_route(domain, written)
        except RouteProblem as problem:
            raise ConfigProblem(source, "relay.routes", str(problem)) from None


def _check_networks(config: Config, source: str) -> None:
    for written in config.relay.networks:
        try:
            read_network(written)
        except NetworkProblem as problem:
            raise ConfigProblem(source, "relay.networks", str(problem)) from None


def _check_connect_map(config: Config, source: str) -> None:
    for name, where in config.relay.connect_map.items():
        address, _, port = where.rpartition(":")
        try:
            ipaddress.ip_address(address.strip("[]"))
        except ValueError:
            raise ConfigProblem(source, "relay.connect_map", f'{name} = {where!r}: write "ADDRESS:PORT"') from None
        if not (port.isascii() and port.isdigit() and 0 < int(port) < 65_536):
            raise ConfigProblem(source, "relay.connect_map", f'{name} = {where!r}: write "ADDRESS:PORT"')


def _check_smarthost(config: Config, source: str) -> None:
    """Only the whole is looked at, as with ports."""
    if config.relay.user and not config.relay.routes.get("*", "mx").startswith("smtp"):
        raise ConfigProblem(
            source, "relay.user", 'is for the smarthost; name it: relay.routes = {"*" = "smtp:HOST:465"}'
        )
    if config.relay.user and not config.relay.password_file:
        raise ConfigProblem(
            source, "relay.user", "needs its password; name the file that holds it as relay.password_file"
        )


def _with_absolute_paths(config: Config, folder: Path) -> Config:
    data = folder / config.server.data
    tls = msgspec.structs.replace(config.tls, certificate=data / config.tls.certificate, key=data / config.tls.key)
    return msgspec.structs.replace(config, server=msgspec.structs.replace(config.server, data=data), tls=tls)
