"""Any sequence of calls: the accepted events are in the file, in the order of each customer."""

import json
import tempfile
from pathlib import Path

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from cutmeshort.outbox.events import customer_hash

from ..support.timing import LONG
from .events import deliver_all, is_intact, name_of, open_storage, put, queued

CUSTOMERS = st.sampled_from(["ann", "bob", "eve"])


class Calls(RuleBasedStateMachine):
    """Two storages of one file, and a model: lists of waiting and dead events by customer."""

    def __init__(self) -> None:
        super().__init__()
        memory = Path("/dev/shm")
        self.folder = tempfile.TemporaryDirectory(dir=memory if memory.is_dir() else None)
        self.path = Path(self.folder.name) / "cms.db"
        self.storage, self.other = open_storage(self.path), open_storage(self.path)
        self.waiting: dict[str, list[int]] = {"ann": [], "bob": [], "eve": []}
        self.dead: dict[str, list[int]] = {"ann": [], "bob": [], "eve": []}
        self.customers: dict[int, str] = {}
        self.deferred: dict[int, int] = {}  # the numbers of events by their ids
        self.delivered: set[int] = set()

    @rule(customer=CUSTOMERS, number=st.integers(0, 30), size=st.sampled_from([0, 300, 2000]))
    def put(self, customer: str, number: int, size: int) -> None:
        """Hand an event over, which may be known."""
        customer = self.customers.setdefault(number, customer)
        known = number in self.delivered or number in self.waiting[customer]
        assert put(self.other, queued(number, customer, size)) == [known]
        if not known:
            self.waiting[customer].append(number)
            if number in self.dead[customer]:
                self.dead[customer].remove(number)

    @rule(outcome=st.sampled_from(["delivered", "dead", "defer"]))
    def attempt(self, outcome: str) -> None:
        """Make an attempt to deliver the next event."""
        stored = self.storage.next(LONG)
        if stored is None:
            assert sum(map(len, self.waiting.values())) == 0 or self.deferred
            return
        number = int(name_of(stored.event).split()[1])
        customer = self.customers[number]
        assert self.waiting[customer][0] == number
        assert self.storage.note_attempt(stored, LONG)
        if outcome == "delivered":
            self.storage.delivered(stored, LONG)
            self.delivered.add(self.waiting[customer].pop(0))
        elif outcome == "dead":
            self.storage.dead(stored, "not_valid", "", LONG)
            self.dead[customer].append(self.waiting[customer].pop(0))
            self.dead[customer].sort()
        else:
            self.storage.defer(stored, stored.failures + 1, LONG)
            self.deferred[stored.id] = number

    @precondition(lambda self: self.deferred)
    @rule()
    def release(self) -> None:
        """Make the deferred events ready."""
        self.storage.release(list(self.deferred), LONG)
        self.deferred.clear()

    @rule()
    def start(self) -> None:
        """Start the delivery again."""
        self.storage.start(LONG)
        self.deferred.clear()

    @rule()
    def retry(self) -> None:
        """Retry the dead letters."""
        ids = self._ids()
        assert self.other.retry(None, LONG) == sum(map(len, self.dead.values()))
        for customer, numbers in self.waiting.items():
            numbers.extend(self.dead[customer])
            numbers.sort(key=ids.__getitem__)
            self.dead[customer] = []

    @rule(customer=CUSTOMERS)
    def purge(self, customer: str) -> None:
        """Erase the events of a customer."""
        gone = self.waiting[customer] + self.dead[customer]
        assert self.other.purge(customer_hash(customer), LONG) == len(gone)
        self.waiting[customer], self.dead[customer] = [], []

    @rule()
    def purge_dead(self) -> None:
        """Erase the dead letters."""
        assert self.other.purge(None, LONG) == sum(map(len, self.dead.values()))
        self.dead = {customer: [] for customer in self.dead}

    @invariant()
    def exactly_the_accepted_events_are_there(self) -> None:
        """The file has exactly the events that were accepted and not erased or delivered."""
        expected = [each for numbers in self.waiting.values() for each in numbers]
        summary = self.storage.summary(LONG)
        assert summary["waiting"] == len(expected)
        assert summary["dead"] == sum(map(len, self.dead.values()))
        assert summary["delivered"] == len(self.delivered)

    def _ids(self) -> dict[int, int]:
        """Return the ids of all events by their numbers."""
        listed = [each for dead in (True, False) for each in self.storage.list(LONG, dead=dead)]
        return {int(json.loads(each.body)["eventName"].split()[1]): each.id for each in listed}

    def teardown(self) -> None:
        """Deliver the rest: the order of each customer was kept, and the file is intact."""
        names = deliver_all(self.storage)
        for customer, numbers in self.waiting.items():
            of_customer = [
                name for name in names if self.customers[int(name.split()[1])] == customer
            ]
            assert of_customer == [f"Event {number}" for number in numbers]
        self.storage.close()
        self.other.close()
        assert is_intact(self.path)
        self.folder.cleanup()


Calls.TestCase.settings = settings(max_examples=40, stateful_step_count=30, deadline=None)
TestCalls = Calls.TestCase
