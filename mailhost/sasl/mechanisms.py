"""The mechanisms there are, in the order in which they are announced."""

from mailhost.sasl import login, plain
from mailhost.sasl.mechanism import Mechanism

MECHANISMS: dict[str, Mechanism] = {each.MECHANISM.name: each.MECHANISM for each in (plain, login)}
