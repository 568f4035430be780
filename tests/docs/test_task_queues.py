"""The pages on task queues: each recipe delivers an event with the real library."""

import inspect
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from textwrap import indent

import pytest

from cutmeshort.sandbox import Sandbox

from ..support.events import CUSTOMER, SALE_PAYLOAD, SECRETS
from ..support.processes import run_program
from ..support.rabbitmq import free_port
from ..support.timing import LONG
from .pages import names, page

CELERY = page("how-to/celery")
QUEUES = page("how-to/task-queues")
QUEUED = (
    "{'success': True, 'message': 'Queued for delivery', "
    "'data': {'queued': True, 'duplicate': False}}"
)
SALE = {**SALE_PAYLOAD, **CUSTOMER}
TRACK = f"""
for number in range(2):
    print(tracking.track_sale(**{{**{SALE!r}, "invoice_id": f"inv_{{number}}"}}))
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with the modules of the page."""
    for block in QUEUES.blocks("python"):
        name = block.text.partition("\n")[0].removeprefix("# ")
        (tmp_path / name).write_text(block.text, encoding="utf-8")
    return tmp_path


def run(folder: Path, *code: str) -> str:
    """Run a program that can import the modules of the page, and return its output."""
    output = run_program("\n".join(code), "-B", PYTHONPATH=str(folder))
    assert not [value for value in SECRETS if value in output]
    return output


HUEY = f"""
import os
os.chdir(FOLDER)
from shop_huey import huey, tracking
{TRACK}
while huey.pending_count():
    huey.execute(huey.dequeue())
for task in huey.scheduled():
    print(huey.scheduled_count())
    print(task.args[1:])
huey.storage.close()
"""

DRAMATIQ = f"""
import dramatiq
from dramatiq.brokers.stub import StubBroker


class ShowDelayed(dramatiq.Middleware):
    def after_enqueue(self, broker, message, delay):
        if delay:
            print(1)
            print(tuple(message.args[1:]))


broker = StubBroker(middleware=[ShowDelayed()])
dramatiq.set_broker(broker)
from shop_dramatiq import tracking
{TRACK}
worker = dramatiq.Worker(broker, worker_timeout=50)
worker.start()
broker.queues["cutmeshort"].join()
worker.stop()
"""

PROCRASTINATE = f"""
from procrastinate import testing
from shop_procrastinate import app, tracking
connector = testing.InMemoryConnector()
with app.replace_connector(connector):
{indent(TRACK, "    ")}
    app.run_worker(wait=False, queues=["cutmeshort"])
    jobs = [job for job in connector.jobs.values() if job["status"] == "todo"]
    for job in jobs:
        assert job["scheduled_at"] is not None
        print(len(jobs))
        print((job["args"]["attempts"], job["args"]["failures"]))
"""

DJANGO = f"""
from django.conf import settings
tasks = {{"BACKEND": "django.tasks.backends.dummy.DummyBackend", "QUEUES": ["cutmeshort"]}}
settings.configure(USE_TZ=True, TASKS={{"default": tasks}})
import django
django.setup()
from django.tasks import default_task_backend
from shop_django import job, tracking
{TRACK}
results = default_task_backend.results
for result in list(results):
    job.func(*result.args)
for later in results[2:]:
    assert later.task.run_after is not None
    print(len(results) - 2)
    print(tuple(later.args[1:]))
"""

RQ = f"""
from rq import SimpleWorker
from shop_rq import queue, redis, tracking
{TRACK}
SimpleWorker([queue], connection=redis).work(burst=True, logging_level="WARNING")
later = queue.scheduled_job_registry
for identifier in later.get_job_ids():
    print(len(later))
    print(queue.fetch_job(identifier).args[1:])
redis.close()
"""


@pytest.fixture
def redis_port(tmp_path: Path) -> Iterator[int]:
    """The port of a private Redis."""
    command = shutil.which("redis-server")
    if command is None:
        pytest.skip("redis-server is not installed")
    port = free_port()
    options = ["--port", str(port), "--bind", "127.0.0.1", "--dir", str(tmp_path), "--save", ""]
    with subprocess.Popen(
        [command, *options], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if "Ready to accept connections" in line:
                break
        yield port
        process.terminate()
        process.communicate(timeout=LONG)


def check(output: str, sandbox: Sandbox) -> None:
    """Check that two events were queued, one tracked, and the other queued for an attempt later."""
    assert output.splitlines() == [QUEUED, QUEUED, "1", "(1, 1)"]
    (tracked,) = sandbox.sales
    assert tracked.customer_name == SALE["customer_name"]
    assert len(sandbox.requests) == 2


@pytest.mark.parametrize(
    ("library", "program"),
    [
        ("huey", HUEY),
        ("dramatiq", DRAMATIQ),
        ("procrastinate", PROCRASTINATE),
        ("django.tasks", DJANGO),
    ],
    ids=["huey", "dramatiq", "procrastinate", "django"],
)
def test_a_recipe_delivers_an_event_and_retries_another(
    library: str, program: str, folder: Path, sandbox: Sandbox
) -> None:
    """A job sends each event; for the one whose response is a 500, another job is due later."""
    pytest.importorskip(library)
    sandbox.fail_next(status=500)
    check(run(folder, program.replace("FOLDER", repr(str(folder)))), sandbox)


def test_the_recipe_for_rq(folder: Path, sandbox: Sandbox, redis_port: int) -> None:
    """With a real Redis, a job sends each event, and another one is scheduled after a 500."""
    pytest.importorskip("rq")
    sandbox.fail_next(status=500)
    module = folder / "shop_rq.py"
    code = module.read_text(encoding="utf-8")
    module.write_text(code.replace("6379", str(redis_port)), encoding="utf-8")
    check(run(folder, RQ), sandbox)


def test_the_page_on_celery(tmp_path: Path) -> None:
    """The blocks run with a broker in memory, and the test of the page passes."""
    pytest.importorskip("celery")
    setup, call, retry, test = CELERY.blocks("python")
    code = re.sub(r"amqp://[^\"]+", "memory://", setup.text)
    (tmp_path / "shop.py").write_text(code, encoding="utf-8")
    (tmp_path / "test_shop.py").write_text(test.text, encoding="utf-8")
    assert run(tmp_path, call.text, "print(result)", retry.text).splitlines() == [QUEUED, "0"]
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"]
    environment = {**os.environ, "PYTEST_PLUGINS": "pytest_cutmeshort"}  # if not installed
    done = subprocess.run(
        command, capture_output=True, text=True, cwd=tmp_path, env=environment, check=False
    )
    assert "1 passed" in done.stdout, done.stdout


def test_the_table_of_the_celery_tracker_is_complete() -> None:
    """The table has each argument of CeleryTracker, with its default."""
    pytest.importorskip("celery")
    from cutmeshort.integrations.celery import CeleryTracker

    parameters = inspect.signature(CeleryTracker).parameters
    rows = CELERY.table("Set up")
    assert [names(row["argument"]) for row in rows] == [[name] for name in parameters]
    for row, parameter in zip(rows, parameters.values()):
        if parameter.default not in (parameter.empty, None):
            assert names(row["default"]) == [str(parameter.default)]
