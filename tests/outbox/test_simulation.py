"""Several senders share the service's limit with direct calls: an hour in fast motion."""

import heapq
import math
import random
from collections import deque
from typing import Any, Optional

import pytest

from cutmeshort.outbox.pacing import Pacing
from cutmeshort.outbox.policy import Streak, decide

LIMIT = 60
MINUTES = 60
ACCEPTED: Any = {"success": True, "message": "Done", "data": {}}


class Service:
    """Accepts 60 requests per minute, counted in each minute or in any 60 seconds."""

    def __init__(self, *, sliding: bool, retry_after: bool) -> None:
        self._sliding = sliding
        self._retry_after = retry_after
        self._accepted: deque[float] = deque()

    def request(self, now: float) -> Optional[Any]:
        """Return None for an accepted request, else the error result of a client."""
        start = now - 60 if self._sliding else now // 60 * 60
        while self._accepted and self._accepted[0] < start:
            self._accepted.popleft()
        if len(self._accepted) < LIMIT:
            self._accepted.append(now)
            return None
        error = {"success": False, "error": "", "status_code": 429, "type": "rate_limit_exceeded"}
        if self._retry_after:
            free = self._accepted[0] + 60 if self._sliding else start + 60
            error["retry_after"] = math.ceil(free - now)
        return {**error, "retryable": True, "attempts": 1}


class Sender:
    """A deliverer with a full outbox."""

    def __init__(self) -> None:
        self.pacing = Pacing(LIMIT)
        self._streak = Streak()

    def send(self, service: Service, now: float, jitter: float) -> bool:
        """Send a request, and return whether it is accepted."""
        self.pacing.sent(now)
        error = service.request(now)
        decision = decide(error or ACCEPTED, streak=self._streak, jitter=jitter)
        self._streak = self._streak.after(decision)
        self.pacing.after(decision, now)
        return error is None


def simulate(service: Service, number: int, direct: int, seed: int) -> tuple[int, list[int]]:
    """Return the number of accepted requests, and how many of the senders' fail in each minute."""
    chance = random.Random(seed)
    senders = [Sender() for _ in range(number)]
    accepted = 0
    refused = [0] * MINUTES
    events = [(chance.uniform(0, 1), index) for index in range(number)]
    events += [(chance.uniform(0, 60 * MINUTES), -1) for _ in range(direct * MINUTES)]
    heapq.heapify(events)
    while events:
        now, index = heapq.heappop(events)
        if now >= 60 * MINUTES:
            continue
        if index < 0:
            accepted += service.request(now) is None
            continue
        sender = senders[index]
        wait = sender.pacing.wait(now)
        if not wait:
            if sender.send(service, now, chance.random()):
                accepted += 1
            else:
                refused[int(now // 60)] += 1
            wait = sender.pacing.wait(now)
        heapq.heappush(events, (now + wait + chance.uniform(0, 0.02), index))
    return accepted, refused


@pytest.mark.parametrize("direct", [0, 10, 30])
@pytest.mark.parametrize("retry_after", [True, False], ids=["with Retry-After", "without"])
@pytest.mark.parametrize("sliding", [True, False], ids=["any 60 seconds", "each minute"])
def test_three_senders_share_the_limit(sliding: bool, retry_after: bool, direct: int) -> None:
    """Three senders and direct calls use most of the limit, and few requests are rejected."""
    for seed in range(3):
        service = Service(sliding=sliding, retry_after=retry_after)
        accepted, refused = simulate(service, 3, direct, seed)
        assert accepted >= 0.7 * LIMIT * MINUTES
        assert max(refused) <= 6
