"""SMTPFactory: accepts connections, and starts an SMTP session on each."""

from collections.abc import Collection

from mailhost.conversation.services import Services
from mailhost.smtp.dialect import conversation, dialect
from mailhost.smtp.replies import TOO_MANY_CONNECTIONS
from mailhost.smtp.session import SMTPSettings
from mailhost.transport.connection import ConversationFactory, Listening


class SMTPFactory(ConversationFactory):
    """For other hosts (port 25), and for users who submit (ports 587 and 465)."""

    def __init__(
        self, services: Services, listening: Listening, settings: SMTPSettings, without: Collection[str] = ()
    ) -> None:
        full = TOO_MANY_CONNECTIONS.encode(enhanced=dialect(without=without).codes)
        super().__init__(conversation(services, settings, without), listening, full)
