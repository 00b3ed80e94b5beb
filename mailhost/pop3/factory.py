"""POP3Factory: accepts connections, and starts a POP3 session on each."""

from datetime import timedelta

from twisted.internet.interfaces import IOpenSSLContextFactory

from mailhost.conversation.services import Services
from mailhost.pop3.dialect import conversation
from mailhost.pop3.responses import TOO_MANY_CONNECTIONS
from mailhost.transport.connection import ConversationFactory
from mailhost.transport.limits import ConnectionLimit

INACTIVITY = timedelta(minutes=10)
"""How long a client may be silent: ten minutes at least (RFC 1939 section 3)."""


class POP3Factory(ConversationFactory):
    """One listener for POP3 (port 110, with STLS) or for POP3 over TLS (port 995)."""

    def __init__(
        self,
        services: Services,
        *,
        listener: str,
        tls: IOpenSSLContextFactory,
        implicit_tls: bool,
        limit: ConnectionLimit,
        timeout: timedelta = INACTIVITY,
    ) -> None:
        super().__init__(
            conversation(services),
            listener=listener,
            tls=tls,
            implicit_tls=implicit_tls,
            timeout=timeout,
            limit=limit,
            too_many=bytes(TOO_MANY_CONNECTIONS),
        )
