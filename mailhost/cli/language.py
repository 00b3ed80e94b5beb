"""The language of who reads: what LC_ALL, LC_MESSAGES or LANG says, the first of them that says something."""

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mailhost.relay.meanings import Language, Meaning

VARIABLES = ("LC_ALL", "LC_MESSAGES", "LANG")


def language(environment: Mapping[str, str] = os.environ) -> "Language":
    from mailhost.relay.meanings import Language

    said = next((environment[name] for name in VARIABLES if environment.get(name)), "")
    return Language.CHINESE if said.lower().startswith("zh") else Language.ENGLISH


def meant(status: str | None, reply: str | None) -> "Meaning | None":
    """In the reader's language; None where nothing was tried."""
    from mailhost.relay.meanings import meaning

    return meaning(status, reply, language=language()) if status else None


def text_of(found: "Meaning | None") -> str:
    return found.text if found else ""


def meant_in_all(status: str | None, reply: str | None) -> dict[str, str] | None:
    """For programs, in each language."""
    from mailhost.relay.meanings import Language, meaning

    return {each.value: meaning(status, reply, language=each).text for each in Language} if status else None
