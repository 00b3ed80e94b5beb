"""The design on one screen: Twisted hosts three protocol factories over one mailbox store and one user database."""

import asyncio
import os
import socket
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import replace
from datetime import timedelta
from functools import partial
from typing import Any

from twisted.internet.interfaces import IListeningPort

from mailhost.administration.opening import blob_store, connect
from mailhost.administration.running import Held, check_alone, hold
from mailhost.administration.sweeper import Sweeper, SweepSettings
from mailhost.config.networks import read_network
from mailhost.config.settings import IMAP, POP3, SMTP, Config, Listener, Submission
from mailhost.conversation.presence import Presence
from mailhost.conversation.services import Limits, Services
from mailhost.database.hints import Kind
from mailhost.delivery.directory import Directory
from mailhost.delivery.waiting import WaitingDeliveries
from mailhost.events.event import ENDED, FAULT, LOOP_BLOCKED, SERVES, Events
from mailhost.events.sinks import configure_log, log
from mailhost.events.wire_log import HAPPENED, WireLog
from mailhost.imap.factory import IMAP4Factory
from mailhost.imap.session import IMAPSettings
from mailhost.message.budget import Limits as ScanLimits
from mailhost.pop3.factory import POP3Factory
from mailhost.relay.assembly import notices, relay_of
from mailhost.relay.failures import FailuresTold
from mailhost.relay.gathering import Gathering
from mailhost.relay.overdue import Overdue
from mailhost.relay.reports_here import ReportsHere
from mailhost.reloading import Read, Reloading
from mailhost.smtp.factory import SMTPFactory
from mailhost.smtp.session import SMTPSettings
from mailhost.store.index import Indexes
from mailhost.trace.recorder import Recorder, RecorderSettings
from mailhost.transport import reactor, systemd
from mailhost.transport.connection import ConversationFactory, Listening
from mailhost.transport.limits import ConnectionLimit
from mailhost.transport.listening import listen, stop_listening
from mailhost.transport.ports import bind_all, close_all
from mailhost.transport.reactor import Signals
from mailhost.transport.tls import ServerTLS
from mailhost.transport.user import become
from mailhost.users.passwords import Cost, Logins, LoginSettings

Ready = Callable[[dict[str, Any]], object]

EX_SOFTWARE = 70
WIRE_FULL = "full"
WATCH_LOOP = "MAILHOST_WATCH_LOOP"
"""The variable of the environment that, set to 1, has the log tell of each time that the loop was blocked; for tests."""
TWINS = {"smtp": "submissions", "submission": "submissions", "pop3": "pop3s", "imap": "imaps"}
"""Listeners that offer TLS by command, each with the one where clients find TLS from the first octet."""
IMPLICIT_TLS: dict[str, str] = {twin: name for name, twin in TWINS.items()}


def run(config: Config, *, wire: str | None, ready: Ready, read: Read) -> int:
    """Serve until SIGTERM or SIGINT; answers with the exit code. `wire`: whether to print the dialogues, and how
    much of messages; `read` gives the settings anew, at SIGHUP.
    """
    events = Events(config.server.node)
    configure_log(config.log.level, config.log.format)
    if wire:
        events.subscribe(lambda event: None if event.kind in HAPPENED else log(event))  # the dialogue tells of those
        events.subscribe(WireLog(full=wire == WIRE_FULL), lines=True)
    else:
        events.subscribe(log)
    return reactor.run(lambda signals: serve(config, events, ready, signals, read))


async def serve(config: Config, events: Events, ready: Ready, signals: Signals, read: Read) -> int:
    """Ports and keys first, then root is given up; the mailbox store and the user database open, and every port listens."""
    async with AsyncExitStack() as stack:
        sockets, tls, held = enter(config, stack)
        services = await open_services(config, events, stack)
        sweeper = Sweeper(services.database, services.blobs, sweep_settings(config))
        reloading = Reloading(config, tls, events)
        listeners = dict(factories(config, services, tls))
        recorder = Recorder(services.database, events, recorder_settings(config))
        if config.trace.keep_events:
            events.subscribe(recorder)
            stack.push_async_callback(recorder.flush)
        ports: dict[ConversationFactory, IListeningPort] = {}
        tasks: list[asyncio.Future[None]] = []
        stack.push_async_callback(end, ports, tasks, reloading, signals.at_once)
        for name, factory in listeners.items():
            ports[factory] = listen(name, sockets[name], factory)
        reactor.settle()
        served = {name: listener.port for name, listener in config.listeners.items()}
        held.serves(config.server.bind, served)
        reloading.tell_doubts()
        events.publish(SERVES, data={"bind": config.server.bind, **served})
        ready({"ports": served})
        systemd.notify(systemd.READY)
        changing = partial(take, services=services, sweeper=sweeper, listeners=listeners, tls=tls)
        names = background(config, services, sweeper) | {
            "reload": reloading.run(signals.reload, read, changing),
            "certificate": reloading.watch_certificate(),
            "trace": recorder.run(),
        }
        tasks += map(asyncio.ensure_future, names.values())
        code = await watch(signals.stop, events, dict(zip(tasks, names, strict=True)))
        systemd.notify(systemd.STOPPING)
    events.publish(ENDED)
    return code


def enter(config: Config, stack: AsyncExitStack) -> tuple[dict[str, socket.socket], ServerTLS, Held]:
    """What only root may do, then root no more: files are made by the user whose they are."""
    reactor.need_open_files(config.server.open_files)
    check_alone(config.server.data, config.server.node)
    sockets = bind_all(config.server.bind, {name: listener.port for name, listener in config.listeners.items()})
    stack.callback(close_all, sockets)
    tls = ServerTLS(config.tls.certificate, config.tls.key)
    become(config.server.user)
    held = hold(config.server.data, config.server.node)
    stack.callback(held.close)
    return sockets, tls, held


def take(
    config: Config,
    *,
    services: Services,
    sweeper: Sweeper,
    listeners: Mapping[str, ConversationFactory],
    tls: ServerTLS,
) -> None:
    """Live by other settings from now on; conversations under way go on by those that they began with."""
    configure_log(config.log.level, config.log.format)
    sweeper.settings = sweep_settings(config)
    services.logins.change(login_settings(config))
    anew = replace(
        services,
        host=config.server.host,
        allow_plaintext=config.login.allow_plaintext,
        failure_delay=config.login.failure_delay,
    )
    for name, factory in factories(config, anew, tls):
        listeners[name].take(factory)


def background(config: Config, services: Services, sweeper: Sweeper) -> dict[str, Awaitable[None]]:
    """What goes on beside the conversations. Each is watched: the service stops rather than limp on without it."""
    waiting = WaitingDeliveries(services.database, services.blobs, services.events, services.scan)
    gathering = Gathering(config.relay.gather_failures)
    told = notices(config, services, gathering)
    for kind in (Kind.QUEUE, Kind.RETRY):
        services.hints.subscribe(kind, lambda _: waiting.look())
    tasks: dict[str, Awaitable[None]] = {
        "writer": services.database.writer,
        "index check": services.indexes.listen(services.hints),
        "sweeper": sweeper.run(),
        "waiting deliveries": waiting.run(),
        "failures": FailuresTold(services.database, told, gathering, services.events).run(),
        "reports": ReportsHere(services.database, told, services.events).run(),
        "late messages": Overdue(services.database, told, services.events, f"late, node {config.server.node}").run(),
    }
    if config.relay.enabled:
        relay = relay_of(config, services, told)
        services.hints.subscribe(Kind.QUEUE, lambda _: relay.look())
        services.hints.subscribe(Kind.RETRY, lambda _: relay.retry())
        services.hints.subscribe(Kind.ANYTHING, lambda _: relay.look())
        tasks["relay"] = relay.run()
    if os.environ.get(WATCH_LOOP) == "1":
        tasks["loop watcher"] = reactor.watch_loop(partial(tell_blocked, services.events))
    return tasks


def tell_blocked(events: Events, late: float, used: float) -> None:
    events.publish(LOOP_BLOCKED, data={"late_ms": round(late * 1000), "cpu_ms": round(used * 1000)})


def factories(config: Config, services: Services, tls: ServerTLS) -> Iterator[tuple[str, ConversationFactory]]:
    """Three protocol factories, a listener each or several."""
    for name, listener in config.listeners.items():
        own = replace(services, limits=limits(config, listener))
        limit = ConnectionLimit(listener.most_connections, listener.most_per_address)
        listening = Listening(
            name,
            tls,
            name in IMPLICIT_TLS,
            listener.command_timeout,
            limit,
            config.tls.hello_timeout,
            twin(config, name),
        )
        if isinstance(listener, SMTP):
            settings = smtp_settings(config, listener, submission=name != "smtp")
            yield name, SMTPFactory(own, listening, settings, listener.without)
        elif isinstance(listener, POP3):
            yield name, POP3Factory(own, listening, listener.without)
        elif isinstance(listener, IMAP):
            yield name, IMAP4Factory(own, listening, IMAPSettings(listener.idle_notice), listener.without)


def twin(config: Config, name: str) -> int:
    """The port that a client belongs to which begins TLS the wrong way for this one; 0 where there is none."""
    other = config.listeners.get(TWINS.get(name, "") or IMPLICIT_TLS[name])
    return other.port if other else 0


async def open_services(config: Config, events: Events, stack: AsyncExitStack) -> Services:
    """One mailbox store and one user database for all; closed in the other order."""
    opened = await connect(config, config.server.node)
    stack.push_async_callback(opened.close)
    database, indexes, directory = opened.database, Indexes(opened.database), Directory(opened.database)
    opened.hints.subscribe(Kind.SETTINGS, lambda _: directory.forget())
    opened.hints.subscribe(Kind.ANYTHING, lambda _: directory.forget())
    blobs = blob_store(config, database)
    stack.callback(blobs.close)
    logins = Logins(database, login_settings(config))
    stack.callback(logins.close)
    locks = config.server.data / "locks"
    locks.mkdir(mode=0o700, parents=True, exist_ok=True)
    return Services(
        host=config.server.host,
        database=database,
        directory=directory,
        blobs=blobs,
        hints=opened.hints,
        indexes=indexes,
        logins=logins,
        presence=Presence(database, opened.hints),
        events=events,
        limits=Limits(),
        allow_plaintext=config.login.allow_plaintext,
        locks=locks,
        scan=ScanLimits(parts=config.limits.mime_parts, depth=config.limits.mime_depth),
        failure_delay=config.login.failure_delay,
    )


async def watch(stop: asyncio.Event, events: Events, watched: Mapping[asyncio.Future[None], str]) -> int:
    """Wait for the signal. A task that ends before it is a fault: the service stops with EX_SOFTWARE rather than limp on."""
    stopping = asyncio.ensure_future(stop.wait())
    every: list[asyncio.Future[Any]] = [stopping, *watched]
    done, _ = await asyncio.wait(every, return_when=asyncio.FIRST_COMPLETED)
    for task, name in watched.items():
        if task in done:
            events.publish(FAULT, cause=f"{name} ended", data={"exception": task.exception()})
        elif name != "writer":
            task.cancel()
    stopping.cancel()
    return 0 if stopping in done else EX_SOFTWARE


async def end(
    ports: Mapping[ConversationFactory, IListeningPort],
    tasks: Sequence[asyncio.Future[None]],
    reloading: Reloading,
    at_once: asyncio.Event,
) -> None:
    """Accept no more, and let the conversations under way finish what they do, the relay's too; a second signal cuts them off."""
    for port in ports.values():
        await stop_listening(port)
    ending = [task for task in tasks if isinstance(task, asyncio.Task) and task.cancelling()]
    cutting = asyncio.ensure_future(cut_off(ports, ending, at_once))
    grace = reloading.config.server.grace
    await asyncio.gather(*(factory.end_conversations(grace) for factory in ports))
    await asyncio.gather(*ending, return_exceptions=True)
    cutting.cancel()


async def cut_off(
    factories: Iterable[ConversationFactory], tasks: Iterable[asyncio.Task[None]], at_once: asyncio.Event
) -> None:
    await at_once.wait()
    for factory in factories:
        factory.cut_off()
    for task in tasks:
        task.cancel()


def smtp_settings(config: Config, listener: SMTP, *, submission: bool) -> SMTPSettings:
    return SMTPSettings(
        submission=submission,
        message_octets=int(listener.message_octets),
        header_octets=int(config.limits.header_octets),
        most_recipients=listener.most_recipients,
        most_transactions=listener.most_transactions,
        most_commands=listener.most_commands,
        most_hops=listener.most_hops,
        most_visits=listener.most_visits,
        longest_hold=int(listener.longest_hold.total_seconds()) if isinstance(listener, Submission) else 0,
        shortest_deliver_by=int(listener.shortest_deliver_by.total_seconds()),
        highest_priority=listener.highest_priority,
        line_octets=int(listener.line_octets),
        data_timeout=listener.data_timeout.total_seconds(),
        message_timeout=listener.message_timeout.total_seconds(),
        least_rate=int(listener.least_rate),
        normalise_newlines=listener.bare_newlines == "normalise",
        networks=() if submission else tuple(map(read_network, config.relay.networks)),
    )


def limits(config: Config, listener: Listener) -> Limits:
    return Limits(
        listener.most_errors,
        int(listener.line_octets),
        config.login.tries,
        int(config.submission.message_octets),
        config.limits.most_mailboxes,
    )


def recorder_settings(config: Config) -> RecorderSettings:
    return RecorderSettings(delay=config.trace.delay, most_a_minute=config.trace.most_a_minute)


def sweep_settings(config: Config) -> SweepSettings:
    kept = config.store
    return SweepSettings(
        keep_expunged=kept.keep_expunged,
        keep_deliveries=kept.keep_deliveries,
        keep_events=config.trace.keep_events,
        orphan_age=kept.orphan_age,
        every=kept.sweep_interval,
    )


def login_settings(config: Config) -> LoginSettings:
    login = config.login
    cost = Cost(login.argon2_passes, login.argon2_memory >> 10, login.argon2_lanes)
    return LoginSettings(cost, login.threads, login.queue, timedelta(seconds=login.cache_seconds))
