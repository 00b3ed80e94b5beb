"""The folder that every world begins with, made once."""

from tests.transcripts.conftest import template

__all__ = ["template"]
