"""IMAP4Factory: accepts connections, and starts an IMAP session on each."""

from datetime import timedelta

from twisted.internet.interfaces import IOpenSSLContextFactory

from mailhost.conversation.services import Services
from mailhost.imap.dialect import conversation
from mailhost.imap.session import TOO_MANY_CONNECTIONS
from mailhost.transport.connection import ConversationFactory
from mailhost.transport.limits import ConnectionLimit

INACTIVITY = timedelta(minutes=30)
"""How long a client may be silent: thirty minutes at least (RFC 3501 section 5.4)."""


class IMAP4Factory(ConversationFactory):
    """One listener for IMAP (port 143, with STARTTLS) or for IMAP over TLS (port 993)."""

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
            too_many=TOO_MANY_CONNECTIONS,
        )
