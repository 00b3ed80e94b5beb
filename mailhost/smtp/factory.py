"""The SMTP factory: accepts connections of one listener and talks SMTP on them."""

from datetime import timedelta

from twisted.internet.interfaces import IOpenSSLContextFactory

from mailhost.conversation.services import Services
from mailhost.smtp import replies
from mailhost.smtp.dialect import conversation
from mailhost.smtp.session import SMTPSettings
from mailhost.transport.connection import ConversationFactory
from mailhost.transport.limits import ConnectionLimit


class SMTPFactory(ConversationFactory):
    """For other hosts on port 25, for users on the submission ports."""

    def __init__(
        self,
        services: Services,
        settings: SMTPSettings,
        *,
        listener: str,
        tls: IOpenSSLContextFactory,
        implicit_tls: bool,
        timeout: timedelta,
        limit: ConnectionLimit,
    ) -> None:
        super().__init__(
            conversation(services, settings),
            listener=listener,
            tls=tls,
            implicit_tls=implicit_tls,
            timeout=timeout,
            limit=limit,
            too_many=bytes(replies.TOO_MANY_CONNECTIONS),
        )
