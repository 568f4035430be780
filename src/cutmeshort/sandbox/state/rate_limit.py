"""The limit of requests per minute."""

import math
from bisect import bisect_right
from collections import deque
from typing import Optional

from .refusal import Refusal

_WINDOW_SECONDS = 60


class RateLimit:
    """
    Limits the requests within any 60 seconds.

    Attributes:
        limit: The number of requests to accept; None for no limit.
    """

    def __init__(self, limit: Optional[int]) -> None:
        self.limit = limit
        self._accepted: deque[float] = deque()

    def reset(self) -> None:
        """Forget all earlier requests."""
        self._accepted = deque()  # a new one, as another thread may be in `check`

    def check(self, now: float) -> None:
        """
        Count a request that arrives at the time `now`, in seconds.

        Raises:
            Refusal: The limit is reached: 429, with the seconds to wait in Retry-After.
        """
        limit = self.limit
        if limit is None:
            return
        accepted = self._accepted
        while accepted and accepted[0] <= now - _WINDOW_SECONDS:
            accepted.popleft()
        if len(accepted) >= limit:
            # Enough must leave the window; after the limit was lowered, this is not the oldest one.
            seconds = math.ceil(accepted[-limit] + _WINDOW_SECONDS - now)
            raise Refusal(
                429,
                f"Rate limit exceeded: {limit} requests per minute.",
                headers={"Retry-After": str(seconds)},
            )
        accepted.append(now)

    def used(self, now: float) -> int:
        """Return how many requests were accepted in the 60 seconds before `now`."""
        accepted = list(self._accepted)
        return len(accepted) - bisect_right(accepted, now - _WINDOW_SECONDS)
