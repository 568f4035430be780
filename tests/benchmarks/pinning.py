"""Pin client and server to one CPU each, if the system supports it."""

import os


def pin(index: int) -> None:
    """Pin this process, and those that it starts, to one of its CPUs."""
    if hasattr(os, "sched_setaffinity"):
        cpus = sorted(os.sched_getaffinity(0))
        os.sched_setaffinity(0, {cpus[index]})
