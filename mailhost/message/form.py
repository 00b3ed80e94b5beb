"""What there may be in a message beyond plain mail."""

import enum


class Form(enum.IntFlag):
    """What a client takes beyond plain mail; and what a message requires of those who are to get it as it came.

    Who does not take it gets the message's surrogate.
    """

    PLAIN = 0
    UTF8 = 1
    """Header fields in UTF-8 (RFC 6532)."""
    BINARY = 2
    """NUL, and CR and LF that are no line ends (RFC 3030 section 3)."""
    EIGHTBIT = 4
    """Octets beyond ASCII, wherever they are (RFC 6152). Every client of ours takes them; other hosts say so with 8BITMIME."""
