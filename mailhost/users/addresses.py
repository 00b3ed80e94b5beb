"""Whom an address stands for: an account, what an alias names, or somebody elsewhere (RFC 5321 section 3.9)."""

from mailhost.database.transaction import Transaction
from mailhost.users import accounts, domains
from mailhost.users.errors import AccountMissing
from mailhost.users.spelling import spelled
from mailhost.users.values import Account, Destination, Local, Remote, Target

DEEPEST_ALIAS = 16
MOST_TARGETS = 1000
TAG = "+"


def destination(tx: Transaction, local_part: str, domain: str) -> Destination:
    """Follow aliases, chains of them too; each target once, and a loop ends where it began.

    `user+tag` is `user` unless somebody has that very name.
    """
    found: dict[str, Target] = {}
    _follow(tx, local_part, domain, found, set(), 0)
    first = next(iter(found.values()), None)
    direct = len(found) == 1 and _is_name_of(local_part, domain, first)
    return Destination(tuple(found.values()), expanded=bool(found) and not direct)


def _follow(
    tx: Transaction, local_part: str, domain: str, found: dict[str, Target], seen: set[str], depth: int
) -> None:
    address = f"{spelled(local_part)}@{domain}"
    if address in seen or depth > DEEPEST_ALIAS or len(found) >= MOST_TARGETS:
        return
    seen.add(address)
    if domains.id_of(tx, domain) is None:
        found.setdefault(f"{local_part}@{domain}", Remote(f"{local_part}@{domain}", domain))
        return
    for name in names(local_part):
        account = _account(tx, name, domain)
        if account is not None:
            found.setdefault(account.address, Local(account.id, account.address))
            return
        targets = accounts.targets_of(tx, name, domain)
        for target in targets:
            further, _, at = target.rpartition("@")
            _follow(tx, further, at, found, seen, depth + 1)
        if targets:
            return


def names(local_part: str) -> list[str]:
    """The name itself, then without its tag."""
    name = spelled(local_part)
    untagged, tag, _ = name.partition(TAG)
    return [name, untagged] if tag and untagged else [name]


def _account(tx: Transaction, local_part: str, domain: str) -> Account | None:
    """One that is being deleted takes no mail any more."""
    try:
        found = accounts.find(tx, local_part, domain)
    except AccountMissing:
        return None
    return None if found.leaving else found


def _is_name_of(local_part: str, domain: str, target: Target | None) -> bool:
    """Whether nothing stands between: an account's own name, or somebody elsewhere whom no alias of ours has named."""
    if isinstance(target, Remote):
        return target.address == f"{local_part}@{domain}"
    return target is not None and target.address in {f"{name}@{domain}" for name in names(local_part)}
