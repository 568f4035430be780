"""Clients that follow the changes while other threads track, clear, restore and import."""

import random
import sys
import threading
from collections.abc import Iterator
from typing import Any, Callable, Optional

import pytest

from cutmeshort.sandbox import Sandbox

from ..support.timing import LONG
from .helpers import LEAD, SALE, post
from .streams import Stream

OPERATIONS = 60  # of each thread
Events = Callable[[Optional[int]], Iterator[dict[str, Any]]]


@pytest.fixture(autouse=True)
def busy_threads() -> Iterator[None]:
    """Let threads interrupt each other often."""
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    yield
    sys.setswitchinterval(interval)


class Follower(threading.Thread):
    """
    Follows the changes as the page does, and connects again now and then.

    Attributes:
        state: What the events add up to.
    """

    def __init__(self, sandbox: Sandbox, events: Events) -> None:
        super().__init__(daemon=True)
        self._sandbox = sandbox
        self._events = events
        self._ended = threading.Event()
        self.changed = threading.Condition()
        self.state: dict[str, Any] = {"sequence": None}
        self.start()

    def run(self) -> None:
        """Follow until `end`."""
        while not self._ended.is_set():
            for number, event in enumerate(self._events(self.state["sequence"])):
                with self.changed:
                    self._apply(event["event"], event["data"])
                    self.changed.notify()
                if self._ended.is_set() or number == 7:
                    break

    def end(self) -> None:
        """Stop, with the next event."""
        self._ended.set()
        self._sandbox.click()
        self.join()

    def _apply(self, name: str, data: dict[str, Any]) -> None:
        assert data["sequence"] > (self.state["sequence"] or 0)
        chains, requests = data.get("chains", []), data.get("requests", [])
        if name == "snapshot":
            self.state, requests = {"chains": {}, "requests": {}}, self._sandbox.log()[::-1]
        self.state["chains"].update({chain["customer"]: chain for chain in chains})
        self.state["requests"].update({each["id"]: each for each in requests})
        self.state.update({name: data[name] for name in data.keys() - {"chains", "requests"}})


def _stream(sandbox: Sandbox) -> Events:
    def events(after: Optional[int]) -> Iterator[dict[str, Any]]:
        query = "" if after is None else f"?after={after}"
        with Stream(sandbox, query) as stream:
            while True:
                yield stream.event()

    return events


def _act(sandbox: Sandbox, choose: random.Random, document: Any) -> None:
    customer = {"customerExternalId": f"user_{choose.randrange(9)}"}
    rare: list[Callable[[], object]] = [
        sandbox.clear,
        sandbox.undo,
        sandbox.reset,
        lambda: sandbox.import_(document),
    ]
    actions: list[Callable[[], object]] = [
        lambda: post(sandbox, {**LEAD, **customer}),
        lambda: post(sandbox, {**LEAD, **customer, "mode": "deferred", "eventName": "sign up"}),
        lambda: post(
            sandbox, {**SALE, **customer, "invoiceId": choose.randrange(99)}, "/track/sale"
        ),
        lambda: sandbox.fail_next(status=503, recorded=choose.random() < 0.5),
        lambda: sandbox.update_settings(duplicate_status=choose.choice((200, 409))),
        sandbox.clear_faults,
        sandbox.click,
        *(rare if choose.random() < 0.1 else []),
    ]
    choose.choice(actions)()


def _everything(sandbox: Sandbox) -> dict[str, Any]:
    state = sandbox.state()
    return {
        **state,
        "chains": {chain["customer"]: chain for chain in state["chains"]},
        "requests": {each["id"]: each for each in sandbox.log()},
    }


@pytest.mark.parametrize("seed", range(3))
def test_the_events_add_up_to_the_state(sandbox: Sandbox, seed: int) -> None:
    """Whatever threads do at the same time, a follower that applies the events has the state."""
    post(sandbox, {**LEAD, "customerExternalId": "imported"})
    document = sandbox.export()
    followers = [Follower(sandbox, _stream(sandbox)), Follower(sandbox, sandbox.events)]

    def work(number: int) -> None:
        choose = random.Random(4 * seed + number)
        for _ in range(OPERATIONS):
            _act(sandbox, choose, document)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for follower in followers:
        with follower.changed:
            assert follower.changed.wait_for(
                lambda follower=follower: follower.state["sequence"] == sandbox.state()["sequence"],
                LONG,
            )
            # Until then, time has passed, and this may find other hints, which are a change.
            assert follower.changed.wait_for(
                lambda follower=follower: follower.state == _everything(sandbox), LONG
            )
        follower.end()
    assert sandbox.state()["totals"]["requests"]["total"] == len(sandbox.log())


def test_a_change_is_numbered_before_the_next_one_happens(sandbox: Sandbox) -> None:
    """Nothing else changes between an event or request and its number, so none is told too late."""
    waited, threads = [], []

    def read_in_another_thread() -> None:
        thread = threading.Thread(target=sandbox._state.content)
        thread.start()
        threads.append(thread)
        thread.join(0.05)
        waited.append(thread.is_alive())

    sandbox._state.changes.listen(read_in_another_thread)
    post(sandbox, LEAD)
    sandbox.click()
    sandbox.clear()
    sandbox.undo()
    sandbox._state.changes.stop_listening(read_in_another_thread)
    assert waited == [True] * 5
    for thread in threads:
        thread.join()


def test_threads_share_what_the_first_one_creates() -> None:
    """Threads that ask for the state or send a request again at the same time share one object."""
    for _ in range(20):
        runner, start, created = Sandbox()._runner, threading.Barrier(4), set()

        def create(runner: Any = runner, start: Any = start, created: Any = created) -> None:
            start.wait()
            created.update({runner.feed(), runner.replayer()})

        threads = [threading.Thread(target=create) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(created) == 2
