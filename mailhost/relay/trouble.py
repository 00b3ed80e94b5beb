"""Why nothing could be handed over: a status, a sentence, and whether it is of use to come again."""

from mailhost.smtp.client.dialogue import Declined
from mailhost.smtp.client.heard import Heard
from mailhost.smtp.client.transaction import END_OF_CONTENT
from mailhost.transport.channel import EndOfInput, TimedOut

NO_MAIL_HERE = (521, 556)
"""The host takes no mail, now or ever (RFC 7504 sections 3 and 4)."""
NOBODY_KNOWS = "after the whole message and before its answer: it is unknown whether it was taken; it will be sent again, and may come twice"


class Trouble(Exception):
    """Nothing could be handed over, whoever the recipients are."""

    def __init__(self, status: str, reason: str, *, host: str | None = None, heard: Heard | None = None) -> None:
        super().__init__(reason)
        self.status, self.reason, self.host, self.heard = status, reason, host, heard

    @property
    def is_final(self) -> bool:
        return self.status.startswith("5")


def told(problem: BaseException, step: str, host: str) -> Trouble:
    """What broke a conversation off, in words."""
    if isinstance(problem, Declined):
        status = problem.heard.status
        if problem.heard.code not in NO_MAIL_HERE:
            status = f"4{status[1:]}"
        return Trouble(status, f"{host} declined at {problem.step}: {problem.heard}", host=host, heard=problem.heard)
    where = NOBODY_KNOWS if step == END_OF_CONTENT else f"at {step}"
    if isinstance(problem, TimedOut | TimeoutError):
        return Trouble("4.4.2", f"{host} was silent for too long {where}", host=host)
    if isinstance(problem, EndOfInput | ConnectionError):
        return Trouble("4.4.2", f"{host} closed the connection {where}", host=host)
    return Trouble("4.5.0", f"{host} {where}: {problem}", host=host)
