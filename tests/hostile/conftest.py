"""A server of its own for whoever asks for `server`."""

from tests.service import server

__all__ = ["server"]
