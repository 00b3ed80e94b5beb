"""What a lane carries: one message for some recipients of one destination."""

from collections.abc import Sequence
from dataclasses import dataclass

from mailhost.queue.values import Acceptance, Delivery
from mailhost.relay.lease import Lease
from mailhost.relay.turns import by_turns

BROKE_OFF = "4.4.2"
"""RFC 3463 section 3.5. What a connection broke at once may break it again: it goes last."""


@dataclass(frozen=True, slots=True)
class Job:
    """Its rows are claimed."""

    acceptance: Acceptance
    deliveries: tuple[Delivery, ...]
    lease: Lease | None = None
    """None where nobody else could have claimed them."""


def jobs_of(claimed: Sequence[tuple[Delivery, Acceptance]], lease: Lease | None = None) -> list[Job]:
    """Recipients of one message go together, and messages by turns."""
    found: dict[int, list[Delivery]] = {}
    accepted = {acceptance.journey: acceptance for _, acceptance in claimed}
    for delivery, _ in claimed:
        found.setdefault(delivery.journey, []).append(delivery)
    jobs = [Job(accepted[rows[0].journey], tuple(rows), lease) for rows in found.values()]
    jobs.sort(key=lambda job: job.deliveries[0].status == BROKE_OFF)
    return by_turns(jobs, lambda job: job.deliveries[0].share)
