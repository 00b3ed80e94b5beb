"""POP3Factory: accepts connections, and starts a POP3 session on each."""

from collections.abc import Collection

from mailhost.conversation.services import Services
from mailhost.pop3.dialect import conversation
from mailhost.pop3.responses import TOO_MANY_CONNECTIONS
from mailhost.transport.connection import ConversationFactory, Listening


class POP3Factory(ConversationFactory):
    """For POP3 (port 110, with STLS) and for POP3 over TLS (port 995)."""

    def __init__(self, services: Services, listening: Listening, without: Collection[str] = ()) -> None:
        super().__init__(conversation(services, without), listening, bytes(TOO_MANY_CONNECTIONS))
