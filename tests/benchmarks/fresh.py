"""
A process that sends a lead, and is timed from outside: `python -m tests.benchmarks.fresh MAKE URL`.

Asked for N more, as a third argument, it prints by how many bytes it grows during them.
"""

import sys

from . import contestants

_WARM_UP = 5_000


def main() -> None:
    """Send, and print at most one number."""
    make, url, *calls = sys.argv[1:]
    call = getattr(contestants, make)(url)
    call()
    if calls:
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
