"""Charsets as mail names them: octets to text, whatever they are called. Pure."""

import encodings
import pkgutil
from encodings.aliases import aliases

MEANT = {"gb2312": "gb18030", "gbk": "gb18030", "us_ascii": "utf-8", "ascii": "utf-8", "windows_31j": "cp932"}
"""What senders call one charset and mean by it its larger form."""
NO_CHARSETS = frozenset(
    {"punycode", "idna", "unicode_escape", "raw_unicode_escape", "undefined", "mbcs", "oem", "aliases"}
)
"""Codecs of Python's that no mail is written in; a megabyte in the first would take hours."""
KNOWN = (
    frozenset({*aliases, *aliases.values(), *(each.name for each in pkgutil.iter_modules(encodings.__path__))})
    - NO_CHARSETS
)
"""Other names are not even looked for: Python remembers each that it has not found, for ever."""


def decoded(octets: bytes, charset: str) -> str:
    """What cannot be read in its charset reads as Latin-1, which has a letter for every octet."""
    name = encodings.normalize_encoding(charset.strip("'").lower())
    name = MEANT.get(name, name)
    try:
        return octets.decode(name if name.replace("-", "_") in KNOWN else "latin-1", "replace")
    except (LookupError, ValueError):
        return octets.decode("latin-1")
