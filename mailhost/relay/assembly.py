"""The relay as the settings describe it: made of its parts, not yet running."""

from mailhost.config.settings import Config
from mailhost.config.settings import Relay as RelaySection
from mailhost.conversation.services import Services
from mailhost.database.database import Database
from mailhost.delivery.directory import Directory
from mailhost.events.event import Events
from mailhost.message.budget import Limits
from mailhost.relay.attempt import Connector, RelaySettings
from mailhost.relay.dns import Resolver
from mailhost.relay.gathering import Gathering
from mailhost.relay.handshake import Smarthost
from mailhost.relay.lane import LaneSettings
from mailhost.relay.mx import Ourselves
from mailhost.relay.notices import Notices, NoticeSettings
from mailhost.relay.reach import Reach
from mailhost.relay.routes import ALL_OTHERS, Routes
from mailhost.relay.schedule import Schedule
from mailhost.relay.worker import Relay, Settings
from mailhost.smtp.client.dialogue import Timeouts
from mailhost.store.octets import BlobStore


def relay_of(config: Config, services: Services, told: Notices) -> Relay:
    """Its claims are the node's: a server that starts again frees what it had before."""
    return Relay(
        services.database,
        services.blobs,
        services.events,
        connector(config, services.events),
        told,
        f"node {config.server.node}",
        pace(config),
    )


def pace(config: Config) -> Settings:
    relay = config.relay
    routes = Routes(relay.routes)

    def rate(destination: str) -> int:
        route = routes.of(destination)
        whose = destination if route is None else route.host
        return relay.rates.get(whose, relay.rates.get(ALL_OTHERS, 0))

    lane = LaneSettings(relay.most_connections, relay.idle_timeout)
    return Settings(lane, relay.most_connections_in_all, rate, relay.lease, config.server.grace)


def notices(config: Config, services: Services, gathering: Gathering) -> Notices:
    """Those that follow from what the server itself does."""
    return _notices(config, services.database, services.blobs, services.directory, services.events, gathering)


def notices_at_once(config: Config, database: Database, blobs: BlobStore, events: Events) -> Notices:
    """Those that follow from what an administrator does, beside the server."""
    return _notices(config, database, blobs, Directory(database), events, None)


def _notices(
    config: Config,
    database: Database,
    blobs: BlobStore,
    directory: Directory,
    events: Events,
    gathering: Gathering | None,
) -> Notices:
    relay, limits = config.relay, config.limits
    return Notices(
        database,
        blobs,
        directory,
        events,
        Schedule(relay.retry_after, relay.give_up_after, relay.warn_after),
        NoticeSettings(config.server.host, int(relay.return_octets), relay.most_notices),
        Limits(parts=limits.mime_parts, depth=limits.mime_depth),
        gathering,
    )


def connector(config: Config, events: Events) -> Connector:
    resolver = Resolver([address_and_port(each, 53) for each in config.dns.servers], config.dns.timeout)
    return Connector(resolver, relay_settings(config), Reach(events), events)


def relay_settings(config: Config) -> RelaySettings:
    relay, smtp = config.relay, config.smtp
    return RelaySettings(
        config.server.host,
        relay.port,
        relay.connect_timeout,
        relay_timeouts(relay),
        connect_map={name: address_and_port(where, 25) for name, where in relay.connect_map.items()},
        allow_private_targets=relay.allow_private_targets,
        source=relay.source_address,
        routes=Routes(relay.routes, logs_in=bool(relay.user)),
        smarthost=Smarthost(
            relay.user,
            config.server.data / relay.password_file if relay.password_file else None,
            config.server.data / relay.ca if relay.ca else None,
        ),
        clear_after_failed_tls=relay.clear_after_failed_tls,
        most_addresses=relay.most_addresses,
        open_timeout=relay.open_timeout,
        ourselves=Ourselves({config.server.host.lower()}, config.server.bind if smtp.enabled else "", smtp.port),
    )


def relay_timeouts(relay: RelaySection) -> Timeouts:
    steps = (
        relay.greeting_timeout,
        relay.command_timeout,
        relay.data_timeout,
        relay.block_timeout,
        relay.end_timeout,
        relay.message_timeout,
    )
    return Timeouts(*(each.total_seconds() for each in steps))


def address_and_port(written: str, port: int) -> tuple[str, int]:
    """ADDRESS, ADDRESS:PORT or [ADDRESS]:PORT."""
    address, colon, number = written.rpartition(":")
    if not colon or (":" in address.strip("[]") and not written.startswith("[")):
        return written, port
    return address.strip("[]"), int(number)
