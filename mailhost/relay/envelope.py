"""The envelope of a transaction, from the rows of the ledger; and how many of them go into one."""

import re
from collections.abc import Iterator, Sequence

from mailhost.delivery.accept import address_of
from mailhost.ids import Millis
from mailhost.queue.values import Acceptance, Delivery
from mailhost.relay.contents import Contents
from mailhost.relay.deadline import by_of
from mailhost.smtp.client.heard import Heard
from mailhost.smtp.client.hello import Abilities
from mailhost.smtp.client.outgoing import Outgoing, To

MOST_RECIPIENTS = 100
"""Of one transaction, where the host does not name another limit (RFC 5321 section 4.5.3.1.8)."""
_TYPED = re.compile(r"[a-z0-9][a-z0-9-]*;.+", re.DOTALL)


async def outgoing(contents: Contents, accepted: Acceptance, some: Sequence[Delivery], at: Millis) -> Outgoing:
    """Rows keep a local part by its meaning; on the wire it is quoted where it must be."""
    reverse_path = address_of(accepted.reverse_path).text() if accepted.reverse_path else ""
    content = await contents.of(accepted)
    return Outgoing(
        reverse_path,
        [_to(each) for each in some],
        content,
        ret=accepted.ret,
        envid=accepted.envid,
        by=by_of(accepted, at),
        priority=accepted.priority,
    )


def _to(delivery: Delivery) -> To:
    """ORCPT is passed on as it came, and never made up (RFC 3461 section 5.2.1): a plain address in its row is none."""
    original = delivery.original if _TYPED.fullmatch(delivery.original) else None
    return To(address_of(delivery.recipient).text(), delivery.notify, original)


def batches(deliveries: Sequence[Delivery], abilities: Abilities) -> Iterator[tuple[Delivery, ...]]:
    """As many recipients, of as many domains, as the host takes in one transaction (RFC 9422 sections 4.2 and 4.3)."""
    most, most_domains = abilities.most_recipients or MOST_RECIPIENTS, abilities.most_domains
    some: list[Delivery] = []
    domains: set[str] = set()
    for each in deliveries:
        is_one_too_many = most_domains and each.destination not in domains and len(domains) >= most_domains
        if len(some) >= most or is_one_too_many:
            yield tuple(some)
            some, domains = [], set()
        some.append(each)
        domains.add(each.destination)
    if some:
        yield tuple(some)


def is_too_many(heard: Heard) -> bool:
    """Of recipients for one transaction, and not of mail for their mailbox (RFC 5321 section 4.5.3.1.10)."""
    return heard.code == 452 and heard.enhanced in ("", "4.5.3")
