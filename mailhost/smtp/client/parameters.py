"""MAIL and RCPT with what the server understands of their parameters, and the forms that these have on the wire."""

from mailhost.message.form import Form
from mailhost.smtp.client.hello import Abilities
from mailhost.smtp.client.outgoing import Content, Outgoing, To

UTF8_ADDRESS = "utf-8"
MOST_SECONDS = 999_999_999
"""Of by-time (RFC 2852 section 4)."""


def mail(message: Outgoing, content: Content, abilities: Abilities, *, utf8: bool) -> str:
    words = [f"MAIL FROM:<{message.reverse_path}>"]
    if "SIZE" in abilities:
        words.append(f"SIZE={content.octets}")
    if content.requires & Form.BINARY:
        words.append("BODY=BINARYMIME")
    elif content.requires & Form.EIGHTBIT or (utf8 and "8BITMIME" in abilities):
        words.append("BODY=8BITMIME")
    if utf8:
        words.append("SMTPUTF8")
    if "DSN" in abilities:
        words += [f"RET={message.ret}"] if message.ret else []
        words += [f"ENVID={xtext(message.envid)}"] if message.envid else []
    if "DELIVERBY" in abilities and message.by is not None:
        words.append(f"BY={max(-MOST_SECONDS, min(message.by.seconds, MOST_SECONDS))};{message.by.mode}")
    if "MT-PRIORITY" in abilities and message.priority:
        words.append(f"MT-PRIORITY={message.priority}")
    return " ".join(words)


def rcpt(to: To, abilities: Abilities, *, utf8: bool) -> str:
    words = [f"RCPT TO:<{to.path}>"]
    if "DSN" in abilities:
        words += [f"NOTIFY={to.notify}"] if to.notify else []
        words += [f"ORCPT={_original(to.original, utf8=utf8)}"] if to.original else []
    return " ".join(words)


def is_safe(text: str) -> bool:
    """A path that holds neither line ends nor other controls, whatever the ledger says."""
    return text.isprintable()


def _original(original: str, *, utf8: bool) -> str:
    """Type and address; an address in UTF-8 goes as itself where SMTPUTF8 was said (RFC 6533 section 3)."""
    kind, _, address = original.partition(";")
    if kind == UTF8_ADDRESS:
        return f"{kind};{''.join(_unitext(each, utf8=utf8) for each in address)}"
    if not address.isascii():
        return f"{UTF8_ADDRESS};{''.join(_unitext(each, utf8=utf8) for each in address)}"
    return f"{kind};{xtext(address)}"


def xtext(text: str) -> str:
    """Written as xtext = *( xchar / hexchar ) (RFC 3461 section 4)."""
    return "".join(each if _is_xchar(each) else "".join(f"+{octet:02X}" for octet in each.encode()) for each in text)


def _unitext(character: str, *, utf8: bool) -> str:
    """utf-8-addr-unitext, or utf-8-addr-xtext where only ASCII may be said (RFC 6533 section 3)."""
    if (_is_xchar(character) and character != "\\") or (utf8 and not character.isascii()):
        return character
    return f"\\x{{{ord(character):02X}}}"


def _is_xchar(character: str) -> bool:
    return "!" <= character <= "~" and character not in "+="
