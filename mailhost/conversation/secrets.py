"""What of a line is a password, or may be one, and is shown to nobody: neither in the wire log nor in the log."""

from mailhost.sasl.mechanisms import MECHANISMS

MASK = b"***"
LONGEST_SHOWN_VERB = 64
SECURE_PASSWORD = frozenset({"NTLM", "GSSAPI", "GSS-SPNEGO", "NEGOTIATE"})
"""What Windows' clients try when "secure password authentication" is on."""
KNOWN_ELSEWHERE = frozenset(
    {"ANONYMOUS", "APOP", "CRAM-MD5", "DIGEST-MD5", "EXTERNAL", "MSN", "OAUTHBEARER", "SCRAM-SHA-1", "SCRAM-SHA-1-PLUS"}
    | {"SCRAM-SHA-256", "SCRAM-SHA-256-PLUS", "XOAUTH2"}
)
"""Mechanisms that a client may name because another server has them."""
_NAMES = SECURE_PASSWORD | KNOWN_ELSEWHERE | MECHANISMS.keys()


def mechanism_shown(word: bytes) -> bytes:
    """A mechanism's name; what is none may be a password at the wrong place."""
    return word if word.decode("ascii", "replace").upper() in _NAMES else MASK


def user_shown(word: str) -> str:
    """A user's name, which is an address; another word may be a password at its place, and the cause of the refusal says enough."""
    return word if "@" in word and not any(map(str.isspace, word)) else MASK.decode()


def masked(line: bytes, words: int) -> bytes:
    """So many words of a line; what follows may be a secret."""
    shown = [word[:LONGEST_SHOWN_VERB] for word in line.split(maxsplit=words)]
    return b" ".join([*shown[:words], MASK]) if len(shown) > words else b" ".join(shown)


class LoginWatch:
    """Whether what is no command may be a password, which its client sends after a login that went otherwise than it believes."""

    def __init__(self) -> None:
        self._tried = False

    def may_be_secret(self, *, known: bool, login: bool, logged_in: bool) -> bool:
        """From the first try to log in until a command after the login. Hears of every line, once."""
        if login:
            self._tried = True
        elif known and logged_in:
            self._tried = False
        return self._tried and not known
