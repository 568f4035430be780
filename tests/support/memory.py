"""
Track a lead with each of several hosts: `python -m tests.support.memory URL...`.

Prints by how many KiB the peak memory of the process grows after the call to the first host. Needs
Linux's /proc.
"""

import re
import sys
from pathlib import Path

from cutmeshort import CMSClient

from .events import TOKEN, lead


def _peak_memory() -> int:
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return int(re.findall(r"VmHWM:\s+(\d+) kB", status)[0])


def main() -> None:
    """Call the hosts one after another."""
    first, *others = sys.argv[1:]
    with CMSClient(TOKEN, first) as client:
        lead(client)
    start = _peak_memory()
    for host in others:
        with CMSClient(TOKEN, host, max_retries=0) as client:
            lead(client)
    print(_peak_memory() - start)


if __name__ == "__main__":
    main()
