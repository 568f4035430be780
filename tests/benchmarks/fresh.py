"""
Send a lead from a new process: `python -m tests.benchmarks.fresh MAKE URL [N]`.

Prints the seconds that import and call took; with N, by how many bytes the process grows during N
more calls.
"""

import sys
import time

from . import candidates

_WARM_UP = 5_000


def main() -> None:
    """Send the leads, and print the measurement."""
    make, url, *calls = sys.argv[1:]
    start = time.perf_counter()
    call = getattr(candidates, make)(url)
    call()
    if not calls:
        print(time.perf_counter() - start)
        return
    import psutil

    process = psutil.Process()
    for _ in range(_WARM_UP):
        call()
    before = process.memory_info().rss
    for _ in range(int(calls[0])):
        call()
    print(process.memory_info().rss - before)


if __name__ == "__main__":
    main()
