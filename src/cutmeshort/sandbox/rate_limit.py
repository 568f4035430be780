"""The limit of requests per minute."""

import math
from collections import deque
from typing import Optional

from .refusal import Refusal

_WINDOW_SECONDS = 60


class RateLimit:
    """
    Limits the requests within any 60 seconds.

    Args:
        limit: The number of requests to accept; None for no limit.
    """

    def __init__(self, limit: Optional[int]) -> None:
        self._limit = limit
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
        if self._limit is None:
            return
        accepted = self._accepted
        while accepted and accepted[0] <= now - _WINDOW_SECONDS:
            accepted.popleft()
        if len(accepted) >= self._limit:
            seconds = math.ceil(accepted[0] + _WINDOW_SECONDS - now)
            raise Refusal(
                429,
                f"Rate limit exceeded: {self._limit} requests per minute.",
                headers={"Retry-After": str(seconds)},
            )
        accepted.append(now)
