"""
Track a lead at each of some hosts: `python -m tests.support.memory URL...`.

Prints by how many KiB the process grew at its largest, after a first call to the first host. Needs
Linux, whose /proc has the largest size of a process.
"""

import re
import sys
from pathlib import Path

from cutmeshort import CMSClient

from .events import TOKEN, lead


def _largest() -> int:
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return int(re.findall(r"VmHWM:\s+(\d+) kB", status)[0])


def main() -> None:
    """Call the hosts one after the other."""
    first, *others = sys.argv[1:]
    with CMSClient(TOKEN, first) as client:
        lead(client)
    start = _largest()
    for host in others:
        with CMSClient(TOKEN, host, max_retries=0) as client:
            lead(client)
    print(_largest() - start)


if __name__ == "__main__":
    main()
