"""Measure in alternating rounds, so that other load on the machine affects all candidates alike."""

import threading
import time
from collections.abc import Mapping, Sequence
from statistics import median
from typing import NamedTuple

from .candidates import Call


class Cost(NamedTuple):
    """
    What one call costs, in seconds: a value for each round.

    Attributes:
        cpu: CPU time of this process, including the kernel's work for it.
        wall: Wall-clock time.
    """

    cpu: list[float]
    wall: list[float]


def costs(calls: Mapping[str, Call], rounds: int, calls_per_round: int) -> dict[str, Cost]:
    """Measure calls in alternating rounds, in one thread."""
    result = {name: Cost([], []) for name in calls}
    for call in calls.values():
        for _ in range(calls_per_round):
            call()
    for _ in range(rounds):
        for name, call in calls.items():
            wall, cpu = time.perf_counter(), time.process_time()
            for _ in range(calls_per_round):
                call()
            result[name].cpu.append((time.process_time() - cpu) / calls_per_round)
            result[name].wall.append((time.perf_counter() - wall) / calls_per_round)
    return result


def rates(
    calls: Mapping[str, Sequence[Call]], rounds: int, calls_per_round: int
) -> dict[str, list[float]]:
    """Measure calls per second in alternating rounds, with one thread for each given call."""
    result: dict[str, list[float]] = {name: [] for name in calls}
    for number in range(rounds + 1):
        for name, each in calls.items():
            seconds = _together(each, calls_per_round)
            if number:  # the first one makes the connections
                result[name].append(len(each) * calls_per_round / seconds)
    return result


def _together(calls: Sequence[Call], times: int) -> float:
    start = threading.Barrier(len(calls) + 1)
    failed: list[BaseException] = []

    def work(call: Call) -> None:
        start.wait()
        try:
            for _ in range(times):
                call()
        except BaseException as error:  # noqa: BLE001 - raised below
            failed.append(error)

    threads = [threading.Thread(target=work, args=[call]) for call in calls]
    for thread in threads:
        thread.start()
    start.wait()
    begin = time.perf_counter()
    for thread in threads:
        thread.join()
    seconds = time.perf_counter() - begin
    if failed:
        raise failed[0]
    return seconds


def ratio(values: Sequence[float], base: Sequence[float]) -> float:
    """Return the ratio of two medians."""
    return median(values) / median(base)
