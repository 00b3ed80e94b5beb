"""Whether the settings switch off only what there is."""

from collections.abc import Callable, Collection, Mapping

from mailhost.config.problem import ConfigProblem
from mailhost.config.settings import Config
from mailhost.conversation.dialect import UnknownExtension
from mailhost.imap.dialect import dialect as imap
from mailhost.pop3.dialect import dialect as pop3
from mailhost.smtp.dialect import dialect as smtp

DIALECTS: Mapping[str, Callable[[Collection[str]], object]] = {
    "smtp": lambda without: smtp(without=without),
    "submission": lambda without: smtp(without=without),
    "submissions": lambda without: smtp(without=without),
    "pop3": lambda without: pop3(without=without),
    "pop3s": lambda without: pop3(without=without),
    "imap": lambda without: imap(without=without),
    "imaps": lambda without: imap(without=without),
}


def check_extensions(config: Config, source: str) -> None:
    """Raises `ConfigProblem` with the setting's name."""
    for name, listener in config.listeners.items():
        try:
            DIALECTS[name](listener.without)
        except UnknownExtension as problem:
            raise ConfigProblem(source, f"{name}.without", str(problem)) from None
