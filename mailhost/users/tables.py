"""The tables of the user database. Migrations are free of them."""

from sqlalchemy import Column, ForeignKey, Index, SmallInteger, Table, UniqueConstraint

from mailhost.database.types import METADATA, Identifier, Moment, Number, String

domain = Table(
    "domain",
    METADATA,
    Column("id", Identifier, primary_key=True),
    Column("name", String, nullable=False, unique=True),  # lower case, A-labels
    Column("created_at", Moment, nullable=False),
)

account = Table(
    "account",
    METADATA,
    Column("id", Identifier, primary_key=True),
    Column("domain_id", Identifier, ForeignKey("domain.id"), nullable=False),
    Column("local_part", String, nullable=False),  # lower case
    Column("disabled", SmallInteger, nullable=False),  # 1: nobody logs in; 2: it is being deleted
    Column("auth_version", Number, nullable=False),
    Column("last_uid_validity", Number, nullable=False),
    Column("created_at", Moment, nullable=False),
    UniqueConstraint("domain_id", "local_part"),
)

credential = Table(
    "credential",
    METADATA,
    Column("id", Identifier, primary_key=True),
    Column("account_id", Identifier, ForeignKey("account.id"), nullable=False, index=True),
    Column("kind", String, nullable=False),  # password; later scram, code, totp
    Column("secret", String, nullable=False),
    Column("scopes", String, nullable=False),
    Column("created_at", Moment, nullable=False),
)

alias = Table(
    "alias",
    METADATA,
    Column("id", Identifier, primary_key=True),
    Column("domain_id", Identifier, ForeignKey("domain.id"), nullable=False),
    Column("local_part", String, nullable=False),
    Column("target", String, nullable=False),  # an address, here or elsewhere; several rows make a group
    Column("created_at", Moment, nullable=False),
    Index(None, "domain_id", "local_part"),
)
