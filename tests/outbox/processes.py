"""
Processes that a test kills: writers, which hand events over, and workers, which deliver them.

They are forks of a process that has imported everything, so that a test can start hundreds.
"""

import os
import random
import signal
import subprocess
import sys
import time
from typing import Any

from cutmeshort.cli import main
from cutmeshort.outbox import Outbox

from ..support.paths import ROOT

CUSTOMERS = 5  # of each writer


class Processes:
    """
    Starts writers and workers of one outbox file, and ends them with the `with` block.

    Args:
        path: The outbox file.
        log: The file to which writers append the names of accepted events, and workers their log.
        environment: Variables for the workers.
    """

    def __init__(self, path: str, log: str, **environment: str) -> None:
        self._arguments = (path, log)
        self._environment = environment

    def __enter__(self) -> "Processes":
        self._parent = subprocess.Popen(
            [sys.executable, "-m", __name__, *self._arguments],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, **self._environment},
        )
        return self

    def __exit__(self, *exception: object) -> None:
        self._parent.communicate()

    def start(self, *command: object) -> int:
        """Start `worker`, or `writer NAME NUMBER`, and return the id of the process."""
        assert self._parent.stdin is not None
        assert self._parent.stdout is not None
        print(*command, file=self._parent.stdin, flush=True)
        return int(self._parent.stdout.readline())


def track(outbox: Outbox, writer: str, number: int) -> Any:
    """Hand over an event of a writer. Each customer's first one is a deferred lead."""
    customer = f"{writer}-{number % CUSTOMERS}"
    if number < CUSTOMERS:
        return outbox.track_lead(f"Step {number}", customer, "click_1", mode="deferred")
    if number % 2:
        return outbox.track_lead(f"Step {number}", customer)
    return outbox.track_sale("Purchase", customer, f"{writer} {number}", 4999, "USD")


def _write(path: str, log: str, writer: str, number: int) -> None:
    """Hand over events, and append a line to the log for each that is accepted."""
    descriptor = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    outbox = Outbox(path)
    while True:
        if track(outbox, writer, number)["success"]:
            os.write(descriptor, f"{writer} {number}\n".encode())
            number += 1
        time.sleep(random.uniform(0, 0.02))


def _deliver(path: str, log: str) -> None:
    os.dup2(os.open(f"{log}.worker", os.O_WRONLY | os.O_APPEND | os.O_CREAT), 2)
    main(["deliver", path, "--per-minute", "0"])


def _serve(path: str, log: str) -> None:
    """Fork a child for each line of stdin, and print its id."""
    children: set[int] = set()
    for line in sys.stdin:
        command, *arguments = line.split()
        child = os.fork()
        if child == 0:
            os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
            random.seed()
            if command == "writer":
                _write(path, log, arguments[0], int(arguments[1]))
            else:
                _deliver(path, log)
            os._exit(0)
        print(child, flush=True)
        children.add(child)
        while children:
            ended, _ = os.waitpid(-1, os.WNOHANG)
            if not ended:
                break
            children.remove(ended)
    for child in children:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)


if __name__ == "__main__":
    _serve(*sys.argv[1:])
