"""ENVELOPE: what a list of messages shows of each (RFC 3501 section 7.4.2)."""

from mailhost.message.address_list import Listed, address_list
from mailhost.message.budget import Budget
from mailhost.message.lexical import unfold
from mailhost.message.media import Fields
from mailhost.message.quoting import NIL, nstring, string

_DEFAULT_TO_FROM = (b"sender", b"reply-to")
_RECIPIENTS = (b"to", b"cc", b"bcc")


def envelope(fields: Fields, budget: Budget) -> bytes:
    """date, subject, from, sender, reply-to, to, cc, bcc, in-reply-to, message-id"""
    author = _addresses(fields, b"from", budget)
    addresses = [author]
    for name in _DEFAULT_TO_FROM:
        written = _addresses(fields, name, budget)
        addresses.append(author if written == NIL else written)
    addresses += [_addresses(fields, name, budget) for name in _RECIPIENTS]
    return b"(%b %b %b %b %b)" % (
        _text(fields, b"date"),
        _text(fields, b"subject"),
        b" ".join(addresses),
        _text(fields, b"in-reply-to"),
        _text(fields, b"message-id"),
    )


def _text(fields: Fields, name: bytes) -> bytes:
    """NIL when the field is missing, an empty string when it is there and empty."""
    value = fields.get(name)
    return NIL if value is None else string(unfold(value))


def _addresses(fields: Fields, name: bytes, budget: Budget) -> bytes:
    value = fields.get(name)
    if value is None or budget.addresses <= 0:
        return NIL
    found = address_list(unfold(value), budget.addresses)
    budget.addresses -= len(found)
    return b"(%b)" % b"".join(map(_written, found)) if found else NIL


def _written(address: Listed) -> bytes:
    name, route, mailbox, host = address
    if name is route is None and mailbox is not None and host is not None:
        return b"(NIL NIL " + string(mailbox) + b" " + string(host) + b")"
    return b"(" + b" ".join([nstring(name), nstring(route), nstring(mailbox), nstring(host)]) + b")"
