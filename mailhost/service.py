"""The design on one screen: Twisted hosts three protocol factories over one mailbox store and one user database."""

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

from twisted.internet.endpoints import TCP4ServerEndpoint, TCP6ServerEndpoint
from twisted.internet.interfaces import IListeningPort

from mailhost.administration.opening import blob_store, connect
from mailhost.config.settings import SMTP, Config, Listener
from mailhost.conversation.services import Limits, Services
from mailhost.database.database import Database
from mailhost.events.event import Events
from mailhost.events.sinks import WireLog, log
from mailhost.imap.factory import IMAP4Factory
from mailhost.pop3.factory import POP3Factory
from mailhost.smtp.factory import SMTPFactory
from mailhost.smtp.session import SMTPSettings
from mailhost.store.index import Indexes
from mailhost.transport import reactor
from mailhost.transport.connection import ConversationFactory
from mailhost.transport.limits import ConnectionLimit
from mailhost.transport.tls import ServerTLS
from mailhost.users.passwords import Cost, Logins, LoginSettings

Ready = Callable[[dict[str, Any]], object]


def run(config: Config, *, wire: bool, ready: Ready) -> int:
    """Serve until SIGTERM or SIGINT; answers with the exit code."""
    return reactor.run(lambda stop: serve(config, wire=wire, ready=ready, stop=stop))
