"""Passwords: hashed with argon2id in threads of their own, and a cache of those verified (design: 22 ms against 1 us)."""

import asyncio
import hashlib
import secrets
import time
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TypeVar

from passlib.hash import argon2

from mailhost.database.database import Database
from mailhost.message.address import AddressProblem, parse_domain
from mailhost.users import accounts
from mailhost.users.errors import AccountDisabled, LoginBusy, LoginRefused
from mailhost.users.values import Account, Login

T = TypeVar("T")

LONGEST_PASSWORD = 1024
MOST_CACHED = 10_000


@dataclass(frozen=True, slots=True)
class Cost:
    """What one hash costs: OWASP's parameters for argon2id, 22 ms and 19 MiB."""

    time: int = 2
    memory_kib: int = 19456
    parallelism: int = 1


@dataclass(frozen=True, slots=True)
class LoginSettings:
    cost: Cost = Cost()
    threads: int = 2
    queue: int = 200
    """Passwords that may wait to be checked, before clients are asked to come again."""
    cached: timedelta = timedelta(hours=1)


class Hasher:
    """Makes and checks hashes, in threads: argon2 gives up the interpreter's lock meanwhile."""

    def __init__(self, settings: LoginSettings) -> None:
        cost = settings.cost
        self._argon2 = argon2.using(
            type="ID", time_cost=cost.time, memory_cost=cost.memory_kib, parallelism=cost.parallelism
        )
        self._threads = ThreadPoolExecutor(settings.threads, "login")
        self.most_waiting = settings.queue
        self._waiting = 0
        self.nobody = self._argon2.hash(secrets.token_hex())
        """A hash that no password has: an unknown user costs the same time."""

    async def hash(self, password: str) -> str:
        return await self._in_thread(lambda: str(self._argon2.hash(password)))

    async def verify(self, password: str, secret: str) -> bool:
        """Raises `LoginBusy`."""
        if self._waiting >= self.most_waiting:
            raise LoginBusy
        return await self._in_thread(lambda: bool(self._argon2.verify(password, secret)))

    def close(self) -> None:
        self._threads.shutdown()

    async def _in_thread(self, call: Callable[[], T]) -> T:
        self._waiting += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._threads, call)
        finally:
            self._waiting -= 1


class Logins:
    """Who may log in. What was verified is remembered by a keyed digest, for as long as the account's `auth_version` stands."""

    def __init__(
        self, database: Database, settings: LoginSettings | None = None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.settings = settings or LoginSettings()
        self.hasher = Hasher(self.settings)
        self._database = database
        self._clock = clock
        self._key = secrets.token_bytes(32)
        self._verified: OrderedDict[bytes, float] = OrderedDict()

    async def check(self, user: str, password: str) -> Login:
        """The account of this user, if the password is its own. Raises `LoginRefused`, `AccountDisabled`, `LoginBusy`.

        The user is the full address; equal time for unknown users.
        """
        local_part, _, written = user.strip().rpartition("@")
        domain = _compared(written)
        found = None
        if user.isprintable():  # nobody has another name, and PostgreSQL takes no NUL
            found = await self._database.read(accounts.password_of, local_part, domain)
        if not password or len(password) > LONGEST_PASSWORD or "\0" in password:
            found, password = None, "-"
        if found is None:
            await self.hasher.verify(password, self.hasher.nobody)
            raise LoginRefused
        account, secret = found
        if not self._is_remembered(account, password, secret):
            if not await self.hasher.verify(password, secret):
                raise LoginRefused
            if await self._database.read(accounts.password_of, local_part, domain) != found:
                raise LoginRefused  # changed while it was checked, and who is logged in then was ended already
            self._remember(account, password, secret)
        if account.disabled:
            raise AccountDisabled
        return Login(account.id, account.address)

    def change(self, settings: LoginSettings) -> None:
        """How many may wait, and for how long a password is remembered; what a hash costs stays until the next start."""
        self.settings = replace(self.settings, queue=settings.queue, cached=settings.cached)
        self.hasher.most_waiting = settings.queue

    def close(self) -> None:
        self.hasher.close()

    def _is_remembered(self, account: Account, password: str, secret: str) -> bool:
        digest = self._digest(account, password, secret)
        until = self._verified.get(digest)
        if until is None or until < self._clock():
            return False
        self._verified.move_to_end(digest)
        return True

    def _remember(self, account: Account, password: str, secret: str) -> None:
        self._verified[self._digest(account, password, secret)] = self._clock() + self.settings.cached.total_seconds()
        while len(self._verified) > MOST_CACHED:
            self._verified.popitem(last=False)

    def _digest(self, account: Account, password: str, secret: str) -> bytes:
        text = f"{account.id}\0{account.auth_version}\0{secret}\0{password}"
        return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), key=self._key, digest_size=32).digest()


def _compared(domain: str) -> str:
    """In the one form in which domains are kept. What is no domain is nobody's, and costs the same time."""
    try:
        return parse_domain(domain)
    except AddressProblem:
        return domain.lower()
