"""The one spelling by which local parts are kept and compared: without case, and composed (NFC), as RFC 6532 section 3.1 asks."""

import unicodedata


def spelled(local_part: str) -> str:
    """Whoever is written to in capitals, or with an accent apart from its letter, is still the same."""
    if local_part.isascii():
        return local_part.lower()
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", local_part).lower())
