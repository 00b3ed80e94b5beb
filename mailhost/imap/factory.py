"""IMAP4Factory: accepts connections, and starts an IMAP session on each."""

from collections.abc import Collection

from mailhost.conversation.services import Services
from mailhost.imap.dialect import conversation
from mailhost.imap.refusals import TOO_MANY_CONNECTIONS
from mailhost.imap.session import IMAPSettings
from mailhost.transport.connection import ConversationFactory, Listening


class IMAP4Factory(ConversationFactory):
    """For IMAP (port 143, with STARTTLS) and for IMAP over TLS (port 993)."""

    def __init__(
        self, services: Services, listening: Listening, settings: IMAPSettings, without: Collection[str] = ()
    ) -> None:
        super().__init__(conversation(services, settings, without=without), listening, TOO_MANY_CONNECTIONS)
