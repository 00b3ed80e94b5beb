"""Accounts and aliases."""

from contextlib import suppress
from typing import Any

from sqlalchemy import bindparam as bind
from sqlalchemy import func, insert, select, update

from mailhost.database.hot import Hot
from mailhost.database.marks import one_statement
from mailhost.database.transaction import Transaction
from mailhost.ids import AccountId, DomainId, Millis, UidValidity, fresh
from mailhost.users import domains
from mailhost.users.changes import AccountChanged, DirectoryChanged
from mailhost.users.errors import AccountExists, AccountLeaving, AccountMissing, AliasExists, DomainMissing
from mailhost.users.spelling import spelled
from mailhost.users.tables import account, alias, credential, domain
from mailhost.users.values import Account

POSTMASTER = "postmaster"
LEAVING = 2
"""In the column `disabled`: what is left of the account goes, and it comes back no more."""

_HERE = (domain.c.name == bind("domain"), account.c.local_part == bind("local_part"))
FIND = Hot(
    select(account, domain.c.name).join(domain, domain.c.id == account.c.domain_id).where(*_HERE),
    "domain",
    "local_part",
)
PASSWORD_OF = Hot(
    select(account, domain.c.name, credential.c.secret)
    .join(domain, domain.c.id == account.c.domain_id)
    .join(credential, (credential.c.account_id == account.c.id) & (credential.c.kind == "password"))
    .where(*_HERE),
    "domain",
    "local_part",
)
TARGETS_OF = Hot(
    select(alias.c.target)
    .join(domain, domain.c.id == alias.c.domain_id)
    .where(domain.c.name == bind("domain"), alias.c.local_part == bind("local_part"))
    .order_by(alias.c.id),
    "domain",
    "local_part",
)


def add_account(tx: Transaction, id_: AccountId, local_part: str, domain_name: str, secret: str, now: Millis) -> None:
    """An account with its password's hash. The first of a domain is its postmaster too (RFC 5321 section 4.5.1).

    Raises `DomainMissing`, `AccountExists`, `AccountLeaving`, `AliasExists`.
    """
    domain_id = domains.id_of(tx, domain_name)
    if domain_id is None:
        raise DomainMissing(domain_name)
    need_free(tx, local_part, domain_name)
    local_part = spelled(local_part)
    tx.execute(
        insert(account).values(
            id=id_,
            domain_id=domain_id,
            local_part=local_part,
            disabled=0,
            auth_version=1,
            last_uid_validity=0,
            created_at=now,
        )
    )
    set_password(tx, id_, secret, now)
    tx.announce(DirectoryChanged())
    if local_part != POSTMASTER and not _is_taken(tx, domain_id, POSTMASTER):
        add_alias(tx, POSTMASTER, domain_name, f"{local_part}@{domain_name}", now)


def set_password(tx: Transaction, account_id: AccountId, secret: str, now: Millis) -> None:
    """One password an account; whoever was verified by the old one is so no more."""
    tx.execute(credential.delete().where(credential.c.account_id == account_id, credential.c.kind == "password"))
    tx.execute(
        insert(credential).values(
            id=fresh(), account_id=account_id, kind="password", secret=secret, scopes="", created_at=now
        )
    )
    tx.execute(update(account).where(account.c.id == account_id).values(auth_version=account.c.auth_version + 1))
    tx.announce(AccountChanged(account_id))


def set_disabled(tx: Transaction, account_id: AccountId, disabled: bool) -> None:
    tx.execute(
        update(account)
        .where(account.c.id == account_id)
        .values(disabled=int(disabled), auth_version=account.c.auth_version + 1)
    )
    tx.announce(AccountChanged(account_id))


def add_alias(tx: Transaction, local_part: str, domain_name: str, target: str, now: Millis) -> None:
    """Another name for an address; several targets make a group. `aliases.add` looks where it leads. Raises `DomainMissing`."""
    domain_id = domains.id_of(tx, domain_name)
    if domain_id is None:
        raise DomainMissing(domain_name)
    tx.execute(
        insert(alias).values(
            id=fresh(), domain_id=domain_id, local_part=spelled(local_part), target=target, created_at=now
        )
    )
    tx.announce(DirectoryChanged())


def next_uid_validity(tx: Transaction, account_id: AccountId, now: Millis) -> UidValidity:
    """max(now in seconds, last + 1), kept: no two mailboxes of an account ever share one (RFC 3501 section 2.3.1.1)."""
    last = tx.execute(
        select(account.c.last_uid_validity).where(account.c.id == account_id).with_for_update()
    ).scalar_one_or_none()
    if last is None:
        raise AccountMissing
    value = max(now // 1000, last + 1)
    tx.execute(update(account).where(account.c.id == account_id).values(last_uid_validity=value))
    return UidValidity(value)


@one_statement
def find(tx: Transaction, local_part: str, domain_name: str) -> Account:
    """Raises `AccountMissing`."""
    rows = tx.found(FIND, domain_name, spelled(local_part))
    if not rows:
        raise AccountMissing(f"{local_part}@{domain_name}")
    return _value(rows[0])


@one_statement
def password_of(tx: Transaction, local_part: str, domain_name: str) -> tuple[Account, str] | None:
    """An account and the hash of its password."""
    rows = tx.found(PASSWORD_OF, domain_name, spelled(local_part))
    return (_value(rows[0]), rows[0].secret) if rows else None


@one_statement
def list_accounts(tx: Transaction) -> list[Account]:
    rows = tx.execute(
        select(account, domain.c.name)
        .join(domain, domain.c.id == account.c.domain_id)
        .order_by(domain.c.name, account.c.local_part)
    )
    return [_value(row) for row in rows]


@one_statement
def targets_of(tx: Transaction, local_part: str, domain_name: str) -> list[str]:
    """What an alias stands for; nothing where there is none."""
    return [row.target for row in tx.found(TARGETS_OF, domain_name, local_part)]


def need_free(tx: Transaction, local_part: str, domain_name: str) -> None:
    """Raises `AccountExists`, `AccountLeaving`, `AliasExists` where the address is somebody's."""
    address = f"{spelled(local_part)}@{domain_name}"
    with suppress(AccountMissing):
        raise (AccountLeaving if find(tx, local_part, domain_name).leaving else AccountExists)(address)
    if targets_of(tx, spelled(local_part), domain_name):
        raise AliasExists(address)


def _is_taken(tx: Transaction, domain_id: DomainId, local_part: str) -> bool:
    counts = [
        tx.execute(
            select(func.count()).where(table.c.domain_id == domain_id, table.c.local_part == local_part)
        ).scalar_one()
        for table in (account, alias)
    ]
    return any(counts)


def _value(row: Any) -> Account:
    return Account(
        row.id, f"{row.local_part}@{row.name}", bool(row.disabled), row.auth_version, row.disabled == LEAVING
    )
