"""Whether the settings switch off only what there is."""

from collections.abc import Callable, Mapping

from mailhost.config.problem import ConfigProblem
from mailhost.config.settings import Config
from mailhost.conversation.dialect import UnknownExtension
from mailhost.imap.dialect import dialect as imap
from mailhost.pop3.dialect import dialect as pop3
from mailhost.smtp.dialect import dialect as smtp

DIALECTS: Mapping[str, Callable[..., object]] = {
    "smtp": smtp,
    "submission": smtp,
    "submissions": smtp,
    "pop3": pop3,
    "pop3s": pop3,
    "imap": imap,
    "imaps": imap,
}


def check_extensions(config: Config, source: str) -> None:
    """Raises `ConfigProblem` with the setting's name."""
    for name, listener in config.listeners.items():
        try:
            DIALECTS[name](without=listener.without)
        except UnknownExtension as problem:
            raise ConfigProblem(source, f"{name}.without", str(problem)) from None
