"""Client and server on a CPU each, where the system allows it."""

import os


def pin(index: int) -> None:
    """Keep this process, and those that it starts, on one of the CPUs that it may use."""
    if hasattr(os, "sched_setaffinity"):
        cpus = sorted(os.sched_getaffinity(0))
        os.sched_setaffinity(0, {cpus[index]})
