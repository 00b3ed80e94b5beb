"""Encoded words of a header field, as the text that they mean (RFC 2047). Pure, and linear whatever comes."""

import binascii
import re

from mailhost.message.charsets import decoded

_WORD = re.compile(r"=\?([^?\s]{1,60})\?([bBqQ])\?([^?]*+)\?=")


def decode(text: str) -> str:
    """Words side by side are one text: senders cut in the middle of a letter. A word that cannot be read stays as it is."""
    pieces: list[str] = []
    octets: list[bytes] = []
    charset, at = "", 0
    for word in _WORD.finditer(text):
        gap, at = text[at : word.start()], word.end()
        name = word[1].partition("*")[0].lower()  # a language may follow (RFC 2231 section 5)
        if octets and (gap.strip() or name != charset):
            pieces.append(decoded(b"".join(octets), charset))
            octets = []
        if gap.strip() or not pieces:
            pieces.append(gap)
        charset = name
        octets.append(_octets(word[2], word[3]))
    if octets:
        pieces.append(decoded(b"".join(octets), charset))
    return "".join([*pieces, text[at:]])


def _octets(encoding: str, written: str) -> bytes:
    text = written.encode("utf-8", "replace")
    if encoding in "qQ":
        return binascii.a2b_qp(text, header=True)
    try:
        return binascii.a2b_base64(text + b"===")  # padding is often left out
    except binascii.Error:
        return text
