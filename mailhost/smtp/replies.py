"""All that the server can say: each reply by its name, with its code (RFC 5321 section 4.2) and its enhanced one (RFC 3463)."""

from dataclasses import dataclass, replace
from functools import lru_cache

MOST_REMEMBERED = 256
"""Replies in octets: most are said again and again."""


@dataclass(frozen=True, slots=True)
class Reply:
    """One reply; of several lines where there are several."""

    code: int
    enhanced: str
    lines: tuple[str, ...]

    def __bytes__(self) -> bytes:
        return self.encode()

    @lru_cache(MOST_REMEMBERED)  # noqa: B019 - replies are values, and few
    def encode(self, *, enhanced: bool = True, utf8: bool = False) -> bytes:
        """Reply-line = *( Reply-code "-" [ textstring ] CRLF ) Reply-code [ SP textstring ] CRLF

        textstring is ASCII, and UTF-8 for who has asked for it (RFC 6531 section 3.7.4); what a peer has sent stands in it only
        after the grammar has taken it for printable.
        """
        status = f"{self.enhanced} " if self.enhanced and enhanced else ""
        last = len(self.lines) - 1
        return "".join(
            f"{self.code}{'-' if place < last else ' '}{status}{line}\r\n" for place, line in enumerate(self.lines)
        ).encode("utf-8" if utf8 else "ascii", "replace")

    def saying(self, text: str) -> "Reply":
        return replace(self, lines=(text,))


def reply(code: int, enhanced: str, *lines: str) -> Reply:
    return Reply(code, enhanced, lines)


CLOSING = reply(221, "2.0.0", "Goodbye")
OK = reply(250, "2.0.0", "OK")
PRIORITY_CHANGED = reply(250, "2.3.6", "0 is the new priority")
"""RFC 6710 section 4.1: its text begins with the priority that the message has got."""
SENDER_OK = reply(250, "2.1.0", "Sender OK")
RECIPIENT_OK = reply(250, "2.1.5", "Recipient OK")
LOGGED_IN = reply(235, "2.7.0", "Authentication succeeded")
VRFY_UNSURE = reply(252, "2.5.2", "Cannot VRFY user, but will accept a message and try to deliver it")
CHUNK_OK = reply(250, "2.0.0", "Chunk taken")
HELP = reply(214, "2.0.0", "RFC 5321 says it all; HELP and a command tells how it is written")
TLS_READY = reply(220, "2.0.0", "Ready to start TLS")
GO_AHEAD = reply(354, "", "End data with <CR><LF>.<CR><LF>")

SHUTTING_DOWN = reply(421, "4.3.2", "Shutting down, please come again")
ACCOUNT_CHANGED = reply(421, "4.7.0", "The account of this login was changed, please log in again")
TOO_SLOW = reply(421, "4.4.2", "Timeout, closing the connection")
TOO_MANY_ERRORS = reply(421, "4.7.0", "Too many errors, closing the connection")
TOO_MANY_CONNECTIONS = reply(421, "4.7.0", "Too many connections, please come again")
TOO_MANY_COMMANDS = reply(421, "4.7.0", "Too many commands that bring no message, closing the connection")
TOO_MANY_TRANSACTIONS = reply(421, "4.7.0", "Enough messages for one connection, please send the others in another")
TOO_MANY_LOGINS = reply(421, "4.7.0", "Too many failed logins, closing the connection")
UNAVAILABLE = reply(451, "4.3.0", "Temporary trouble, nothing was stored, please try again")
FAULT = reply(451, "4.3.0", "A mistake of this server, please try again later")
TOO_MANY_RECIPIENTS = reply(452, "4.5.3", "Too many recipients in one transaction, send the rest in another")
LOGIN_BUSY = reply(454, "4.7.0", "Too many logins at once, please try again")

UNKNOWN_COMMAND = reply(500, "5.5.1", "Command not recognised")
LINE_TOO_LONG = reply(500, "5.5.2", "Line too long")
BAD_HELLO = reply(501, "", "Syntax error: a domain or an address literal is expected")
"""Whatever answers HELO and EHLO has no enhanced code (RFC 2034 section 4)."""
BAD_CHUNK = reply(501, "5.5.4", "Where this chunk ends cannot be known, closing the connection")
BAD_ARGUMENTS = reply(501, "5.5.4", "Syntax error in arguments")
RESPONSE_TOO_LONG = reply(500, "5.5.6", "Authentication exchange line is too long")
BAD_BASE64 = reply(501, "5.5.2", "Cannot decode the response")
LOGIN_ABORTED = reply(501, "5.7.0", "Authentication aborted")
NOT_IMPLEMENTED = reply(502, "5.5.1", "Command not implemented")
HELLO_FIRST = reply(503, "5.5.1", "Send EHLO first")
MAIL_FIRST = reply(503, "5.5.1", "Send MAIL first")
RECIPIENT_FIRST = reply(503, "5.5.1", "Send RCPT first")
NESTED_MAIL = reply(503, "5.5.1", "A transaction is under way, send RSET to end it")
ALREADY_TLS = reply(503, "5.5.1", "TLS is active already")
ALREADY_LOGGED_IN = reply(503, "5.5.1", "Already authenticated")
TLS_BEFORE_LOGIN = reply(503, "5.5.1", "STARTTLS comes before the login")
DATA_AFTER_CHUNKS = reply(503, "5.5.1", "A message is under way in chunks: send BDAT, or RSET to end it")
CHUNKS_WANTED = reply(503, "5.5.1", "BINARYMIME comes by BDAT (RFC 3030 section 3)")
NO_SUCH_HELP = reply(504, "5.5.4", "No help for that")
UNKNOWN_MECHANISM = reply(504, "5.5.4", "Unrecognised authentication mechanism; with SPA, switch it off in the client")
EXPN_DISABLED = reply(502, "5.5.1", "Who stands behind a name is told to nobody")
UNKNOWN_PARAMETER = reply(555, "5.5.4", "Parameter not recognised")
TOO_SOON = reply(555, "5.5.4", "No message is delivered so soon for certain")
LATE_BEFORE_RELEASE = reply(501, "5.5.4", "The message would be late (BY) before it is released (HOLDFOR, HOLDUNTIL)")
LOGIN_REQUIRED = reply(530, "5.7.0", "Authentication required")
BAD_LOGIN = reply(535, "5.7.8", "Authentication failed: wrong user or password; the user is the full address")
ACCOUNT_DISABLED = reply(535, "5.7.13", "This account is disabled")
TLS_REQUIRED = reply(538, "5.7.11", "Encryption required: send STARTTLS first")
NO_SUCH_USER = reply(550, "5.1.1", "No such user here")
RELAY_DENIED = reply(550, "5.7.1", "Relay denied: log in on the submission port to send elsewhere")
NOT_YOUR_ADDRESS = reply(553, "5.7.1", "The sender address is not one of this login's own")
MESSAGE_TOO_LARGE = reply(552, "5.3.4", "Message exceeds the fixed maximum size")
BARE_NEWLINE = reply(550, "5.6.0", "Bare CR or LF in the message; lines end with CRLF (RFC 5321 section 2.3.8)")
BINARY_HEADER = reply(550, "5.6.0", "NUL, or a bare CR or LF, in the header")
NOT_THE_AUTHOR = reply(550, "5.7.1", "The message is not from this login")
NUL_IN_MESSAGE = reply(550, "5.6.0", "NUL in the message")
HEADER_TOO_LARGE = reply(552, "5.3.4", "The header is too large")
LOOP = reply(554, "5.4.6", "Too many hops: this message is in a loop")
COMES_BACK = reply(554, "5.4.6", "This message comes back again and again: it is in a loop of forwardings")
SMTPUTF8_WANTED = reply(553, "5.6.7", "A non-ASCII address needs SMTPUTF8 in MAIL (RFC 6531 section 3.4)")
