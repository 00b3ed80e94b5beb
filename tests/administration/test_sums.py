"""The ledger's sums hold at every moment, while mail is accepted, relayed, refused, put off, held, returned, redirected and cancelled at once."""

import asyncio
import random
from pathlib import Path

import pytest

from mailhost.administration import queue
from mailhost.administration.audit import audit, proof
from mailhost.administration.queue import Act, Choice
from mailhost.database.database import Database
from mailhost.delivery.waiting import WaitingDeliveries
from mailhost.events.event import Events
from mailhost.ids import Millis, now
from mailhost.queue import audit as rules
from mailhost.queue import claims
from mailhost.queue.claims import Claim, Result, Taken
from mailhost.queue.values import Delivery, Share, State
from mailhost.relay.job import jobs_of
from tests.administration.test_queue import DORA, ERIN, bounce, redirected
from tests.relay.test_notices import World, world

pytestmark = pytest.mark.slow
DOMAINS = [f"d{number}.test" for number in range(6)]
MESSAGES = 60
ENDS = [State.RELAYED, State.RELAYED, State.BOUNCED, State.EXPIRED, State.WAITING]
ACTS = ["hold", "release", "retry", "cancel"]


class Crowd:
    def __init__(self, here: World) -> None:
        self.here, self.database = here, here.database
        self.chance = random.Random(7)
        self.accepted = 0
        self.is_over = False
        self.looks = 0

    async def sends(self) -> None:
        for _ in range(MESSAGES):
            to = [f"x{number}@{self.chance.choice(DOMAINS)}" for number in range(self.chance.randint(1, 8))]
            await self.here.send(*to, DORA, at=now())
            self.accepted += len(to) + 1

    async def relays(self, claimant: str) -> None:
        while not self.is_over:
            await self.carry(claimant, 10)

    async def carry(self, claimant: str, most: int, state: State | None = None) -> int:
        at = now()
        shares = tuple(Share(each) for each in [*DOMAINS, "green.test"])
        taken: Taken = await self.database.write(claims.take, Claim(shares, claimant, at, Millis(at + 60_000), most))
        for job in jobs_of(taken.rows):
            results = [self.came_to(row, state or self.chance.choice(ENDS)) for row in job.deliveries]
            await self.here.notices.settle(job.acceptance, job.deliveries, results)
        return len(taken.rows)

    def came_to(self, row: Delivery, state: State) -> Result:
        status = {State.RELAYED: "2.0.0", State.WAITING: "4.2.1", State.EXPIRED: "4.4.1"}.get(state, "5.1.1")
        return Result(row.id, state, status, "said so", "250 so", "mx.test", now(), Millis(now() + 50))

    async def administers(self) -> None:
        while not self.is_over:
            which = Choice(destination=self.chance.choice(DOMAINS))
            await queue.act(self.database, which, Act(self.chance.choice(ACTS)))
            await bounce(self.here, Choice(recipient="x1"))
            await redirected(self.here, Choice(recipient="x2"), self.chance.choice([ERIN, DORA]))

    async def audits(self) -> None:
        while not self.is_over:
            assert await self.database.read(rules.ledger) == []
            self.looks += 1


async def test_at_every_moment(database: Database, tmp_path: Path) -> None:
    here = await world(database, tmp_path, most_an_hour=20)
    crowd = Crowd(here)
    background = [
        asyncio.ensure_future(each)
        for each in (crowd.relays("one"), crowd.relays("two"), crowd.administers(), crowd.audits())
    ]
    await crowd.sends()
    crowd.is_over = True
    await asyncio.gather(*background)
    await here.send("x1@last.test", "x2@last.test", "x3@last.test", at=now())
    crowd.accepted += 3
    assert (await bounce(here, Choice(recipient="x1@last"))).count == 1
    assert (await redirected(here, Choice(recipient="x2@last"), ERIN))[0].count == 1
    assert (await queue.act(database, Choice(recipient="x3@last"), Act("cancel"))).count == 1
    await queue.act(database, Choice(), Act("release"))
    while await crowd.carry("one", 1_000, State.RELAYED):
        pass
    await WaitingDeliveries(database, here.blobs, Events()).deliver_due()
    assert crowd.looks > 3
    assert await audit(database, here.blobs) == []
    sums = await proof(database)
    notices = sums.accepted - crowd.accepted
    assert 0 < notices <= 20
    assert sums.states.get(State.WAITING, 0) == sums.states_of_copies.get(State.WAITING, 0) == 0
    assert {State.STORED, State.RELAYED, State.EXPANDED, State.BOUNCED, State.CANCELLED} <= {*sums.states}
    assert not here.faults()
