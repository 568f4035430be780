"""CeleryTracker with a real RabbitMQ: workers and the broker are killed, and no event is lost."""

import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("celery")

from celery import Celery
from celery.signals import before_task_publish

from cutmeshort.integrations import celery as module
from cutmeshort.integrations.celery import CeleryTracker
from cutmeshort.sandbox import Sandbox

from ..docs.pages import page
from ..support.forking import forks
from ..support.rabbitmq import RabbitMQ, private_rabbitmq, rabbitmq_url
from ..support.timing import LONG, SLACK, timed, wait_until

pytestmark = pytest.mark.services

SHOP = """
import os

from celery import Celery

from cutmeshort.integrations.celery import CeleryTracker

app = Celery("shop", broker=os.environ["BROKER"])
tracking = CeleryTracker(app, per_minute=0)
"""
FAULTS: list[dict[str, Any]] = [
    {"status": 500},
    {"status": 500, "recorded": True},
    {"drop": True},
    {"drop": True, "recorded": True},
    {"latency": 0.2},
    {"status": 429, "retry_after": 1},
]
KILLS = 20
PER_ROUND = 30


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RabbitMQ]:
    """A RabbitMQ of these tests."""
    with private_rabbitmq(tmp_path_factory.mktemp("rabbitmq")) as server:
        yield server


@pytest.fixture
def url(request: pytest.FixtureRequest) -> str:
    """The URL of a RabbitMQ that runs already, or of a private one."""
    return rabbitmq_url() or request.getfixturevalue("broker").url


def make_tracker(url: str) -> CeleryTracker:
    """Create the tracker of a web process."""
    return CeleryTracker(Celery("shop", broker=url, set_as_current=False))


class Worker:
    """
    A Celery worker with two processes, in a process group of its own.

    Args:
        folder: Where its module is written.
        broker: The URL of the broker.
        sandbox: The service.
    """

    def __init__(self, folder: Path, broker: str, sandbox: Sandbox) -> None:
        (folder / "shop.py").write_text(SHOP, encoding="utf-8")
        self._folder = folder
        self._environment = {
            **os.environ,
            "BROKER": broker,
            "CMS_HOST": sandbox.url,
            "CMS_BEARER_TOKEN": sandbox.token,
            "CMS_TIMEOUT": "5",
        }
        self._process: Any = None

    def start(self) -> None:
        """Start the worker."""
        command = page("how-to/celery").block("sh", "celery -A").split()
        options = "--concurrency=2 --without-gossip --without-mingle --loglevel=INFO"
        with (self._folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", *command, *options.split()],
                cwd=self._folder,
                env=self._environment,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def kill(self) -> None:
        """Kill all processes of the worker."""
        os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()


def recorded_by(sandbox: Sandbox) -> list[int]:
    """Return the numbers of the sales that the sandbox has recorded, in ascending order."""
    return sorted(int(sale.invoice_id.removeprefix("inv_")) for sale in sandbox.sales)


def wait_for(sandbox: Sandbox, numbers: Iterable[int]) -> None:
    """Wait until the sandbox has recorded these sales."""
    wanted = set(numbers)
    deadline = time.monotonic() + 3 * LONG
    while not wanted.issubset(recorded_by(sandbox)) and time.monotonic() < deadline:
        time.sleep(0.1)


def track(tracker: CeleryTracker, number: int) -> Any:
    """Hand over a sale."""
    return tracker.track_sale("Purchase", f"user_{number}", f"inv_{number}", 1, "USD", "click_1")


def test_no_event_is_lost_when_the_worker_is_killed(url: str, tmp_path: Path) -> None:
    """In 20 kills of the worker's process group, none of 600 events is lost or recorded twice."""
    random_source = random.Random(13)
    tracker = make_tracker(url)
    kills_in_flight = 0
    with Sandbox(duplicate_status=409) as sandbox:
        worker = Worker(tmp_path, url, sandbox)
        for round_number in range(KILLS):
            for number in range(PER_ROUND):
                result = track(tracker, round_number * PER_ROUND + number)
                assert result["success"], result
            before = len(sandbox.requests)
            for _ in range(3):
                sandbox.fail_next(**random_source.choice(FAULTS))
            worker.start()
            deadline = time.monotonic() + LONG
            wanted = before + random_source.randint(1, PER_ROUND)
            while len(sandbox.requests) < wanted and time.monotonic() < deadline:
                time.sleep(0.005)
            kills_in_flight += len(sandbox.sales) < (round_number + 1) * PER_ROUND
            worker.kill()
        worker.start()
        wait_for(sandbox, range(KILLS * PER_ROUND))
        worker.kill()
        assert recorded_by(sandbox) == list(range(KILLS * PER_ROUND))
        assert kills_in_flight > KILLS // 2
        assert len(sandbox.requests) > KILLS * PER_ROUND
    assert tracker.retry_dead_letters() == 0
    tracker.close()
    log = (tmp_path / "log").read_text(encoding="utf-8")
    assert "cutmeshort.deliver" in log
    assert "inv_" not in log
    assert "user_" not in log


def test_no_accepted_event_is_lost_when_the_broker_is_killed(
    broker: RabbitMQ, tmp_path: Path
) -> None:
    """While RabbitMQ crashes and restarts, an event is in the queue or its result is an error."""
    tracker = make_tracker(broker.url)
    accepted: list[int] = []
    refused: list[Any] = []
    stop = threading.Event()

    def shop() -> None:
        number = 1000
        while not stop.wait(0.005):
            result, seconds = timed(partial(track, tracker, number))
            assert seconds < 1 + SLACK
            if result["success"]:
                accepted.append(number)
            else:
                refused.append(result["type"])
            number += 1

    def wait_for_more(results: list[Any]) -> None:
        enough = len(results) + 10
        wait_until(lambda: len(results) >= enough)

    thread = threading.Thread(target=shop)
    thread.start()
    try:
        for _ in range(2):
            wait_for_more(accepted)
            broker.kill()
            wait_for_more(refused)
            broker.start()
        wait_for_more(accepted)
    finally:
        stop.set()
        thread.join()
    tracker.close()
    assert set(refused) == {"outbox_error"}
    with Sandbox() as sandbox:
        worker = Worker(tmp_path, broker.url, sandbox)
        worker.start()
        # The queue may have other events, too: of a call whose confirm was lost, for example.
        wait_for(sandbox, accepted)
        worker.kill()
        recorded = recorded_by(sandbox)
    assert set(accepted) <= set(recorded)


def test_a_blocked_broker_does_not_hold_a_call(broker: RabbitMQ) -> None:
    """While RabbitMQ has a memory alarm, a call ends at its timeout with an error."""
    tracker = make_tracker(broker.url)
    assert track(tracker, 5000)["success"]
    broker.control("set_vm_memory_high_watermark", "0.00000001")
    try:
        result, seconds = timed(lambda: track(tracker, 5001))
    finally:
        broker.control("set_vm_memory_high_watermark", "0.4")
    assert result["type"] == "outbox_error"
    assert seconds < 1 + SLACK
    assert track(tracker, 5002)["success"]
    tracker.close()


def test_a_queue_that_was_deleted_is_created_again(broker: RabbitMQ) -> None:
    """An event that no queue would receive is published once more, on a new connection."""
    with make_tracker(broker.url) as tracker:
        assert track(tracker, 5003)["success"]
        with Celery(broker=broker.url, set_as_current=False).connection_for_write() as connection:
            connection.default_channel.queue_delete("cutmeshort")
        assert track(tracker, 5004)["success"]
        with Celery(broker=broker.url, set_as_current=False).connection_for_write() as connection:
            queue = connection.default_channel.queue_declare("cutmeshort", passive=True)
    assert queue.message_count == 1


def test_many_dead_letters_move_back(broker: RabbitMQ, monkeypatch: pytest.MonkeyPatch) -> None:
    """The time limit is one for each dead letter, however many there are."""
    monkeypatch.setattr(module, "_WORKER_TIMEOUT", SLACK)
    pause = lambda **_: time.sleep(0.2)  # noqa: E731
    app = Celery("shop", broker=broker.url, set_as_current=False)
    with CeleryTracker(app, queue="many") as tracker:
        for number in range(30):
            tracker._publish((f"{number}", 1), LONG, queue="many.dead")
        before_task_publish.connect(pause)
        try:
            assert tracker.retry_dead_letters() == 30
        finally:
            before_task_publish.disconnect(pause)
        assert tracker.retry_dead_letters() == 0


@forks
def test_a_forked_process_leaves_the_connection_to_its_parent(broker: RabbitMQ) -> None:
    """A child publishes on a connection of its own, and the parent's still works."""
    with make_tracker(broker.url) as tracker:
        assert track(tracker, 5005)["success"]
        child = os.fork()
        if child == 0:
            os._exit(0 if track(tracker, 5006)["success"] else 1)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        before = tracker._publisher._connection
        assert track(tracker, 5007)["success"]
        assert tracker._publisher._connection is before
