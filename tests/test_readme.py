"""What the README says is true: its code runs, its tables are complete."""

import inspect
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from sybil import Sybil
from sybil.document import Document
from sybil.parsers.markdown import CodeBlockParser, PythonCodeBlockParser

from cutmeshort import CMSClient, Configuration, LeadPayload, SalePayload
from cutmeshort.exceptions import error_spec
from cutmeshort.sandbox import Sandbox

from .support.server import Server
from .support.server import respond as reply

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")


def _document(parser: Any) -> Document:
    return Sybil([parser]).parse(ROOT / "README.md")


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch) -> Iterator[Sandbox]:
    """A sandbox as the service that the README's code talks to."""
    with Sandbox() as sandbox:
        monkeypatch.setenv("CMS_BEARER_TOKEN", sandbox.token)
        monkeypatch.setenv("CMS_HOST", sandbox.url)
        yield sandbox


def test_every_python_block_runs(environment: Sandbox, tmp_path: Path) -> None:
    """The blocks run one after the other, as a reader would run them; tests among them pass."""
    queue: list[Any] = []
    document = _document(PythonCodeBlockParser())
    document.namespace.update(enqueue=lambda *call, **options: queue.append((call, options)))
    tests = []
    for example in document.examples():
        source = str(example.parsed)
        if "def test_" in source:
            tests.append(source)
        else:
            example.evaluate()
    document.namespace["client"].close()
    assert [sale.invoice_id for sale in environment.sales] == ["inv_1001", "inv_1002"]
    assert len(environment.leads) == 7
    assert not queue
    (source,) = tests
    (tmp_path / "test_application.py").write_text(source)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, check=False)
    assert "1 passed" in done.stdout


CONFLICT, DUPLICATE = {"type": "conflict"}, {"type": "duplicate_event"}


@pytest.mark.parametrize(
    ("function", "status", "body", "outcome"),
    [
        ("track_purchase", 409, CONFLICT, "tracked"),
        ("track_purchase", 409, DUPLICATE, "tracked"),
        ("track_purchase", 503, {}, "queued"),
        ("track_purchase", 401, {}, "logged"),
        ("track_sign_up", 409, DUPLICATE, "tracked"),
        ("track_sign_up", 409, CONFLICT, "logged"),
        ("track_sign_up", 409, {"type": "duplicate_attribution"}, "logged"),
        ("track_sign_up", 503, {}, "queued"),
    ],
)
def test_the_queue_example_drops_no_event(
    function: str, status: int, body: dict[str, str], outcome: str
) -> None:
    """What was not tracked is queued or logged, and what was tracked before is neither."""
    done: list[str] = []
    log = SimpleNamespace(error=lambda *_: done.append("logged"))
    names: dict[str, Any] = {"enqueue": lambda *_, **__: done.append("queued"), "log": log}
    (source,) = (
        str(example.parsed)
        for example in _document(PythonCodeBlockParser()).examples()
        if "def track_sign_up" in str(example.parsed)
    )
    with (
        Server(reply(200), reply(200), reply(status, json=body)) as server,
        CMSClient("token", server.url, max_retries=0) as client,
    ):
        names["client"] = client
        exec(source, names)  # which tracks one event of each
        names[function]("user_42", "inv_or_click", *([999] * (function == "track_purchase")))
    assert (done or ["tracked"]) == [outcome]


def _run(*arguments: str) -> None:
    subprocess.run([sys.executable, *arguments], cwd=ROOT, check=True, stdout=subprocess.DEVNULL)


def _run_sandbox(*arguments: str) -> None:
    command = [sys.executable, *arguments]
    command[command.index("8787")] = "0"  # a port that is free
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert "listens on http://127.0.0.1:" in process.stdout.readline()
        os.kill(process.pid, signal.SIGINT)


def test_every_shell_block_runs() -> None:
    """Commands that need no package index are run here; continuous integration runs the others."""
    unknown = []
    for example in _document(CodeBlockParser(language="sh", evaluator=lambda _: None)).examples():
        for line in str(example.parsed).splitlines():
            for command in re.split(r" && ", line.partition("#")[0].strip()):
                words = command.split()
                if command == "python -m tests.benchmarks":
                    continue  # test_benchmarks runs it
                if words[:2] == ["python", "-m"]:
                    _run_sandbox(*words[1:])
                elif words[0] == "python":
                    _run(*words[1:])
                elif words[:2] != ["pip", "install"] and words[0] not in ("pytest", "export"):
                    unknown.append(command)
    assert not unknown


def _table(heading: str) -> list[list[str]]:
    """The cells of the first table below a heading, header and rule left out."""
    section = README.partition(f"\n{heading}")[2]
    rows = re.search(r"\n((?:\|.*\n)+)", section)
    assert rows is not None
    lines = rows[1].splitlines()[2:]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


def _names(cell: str) -> list[str]:
    return re.findall(r"`([^`]+)`", cell)


def test_the_tables_name_every_argument() -> None:
    """The reference has each argument of the client and of both methods, and no other."""
    documented = [_names(row[0])[0] for row in _table("### `CMSClient(")]
    assert documented == list(inspect.signature(CMSClient).parameters)
    rows = _table("### `client.track_lead")
    for column, method in ((1, CMSClient.track_lead), (2, CMSClient.track_sale)):
        documented = {_names(row[0])[0] for row in rows if row[column] != "–"}
        assert documented == set(inspect.signature(method).parameters) - {"self"}


def test_the_table_of_faults_is_complete() -> None:
    """The table of what the sandbox can let fail has each argument."""
    documented = {_names(row[0])[0] for row in _table("## Test your own application")}
    assert documented == set(inspect.signature(Sandbox.fail_next).parameters) - {"self"}


def test_the_table_of_types_is_complete() -> None:
    """The error table has each type that a status can have, with its status, and the SDK's own."""
    rows = _table("## Error handling")
    documented = {name for row in rows for name in _names(row[0])}
    by_status = {error_spec(status).type for status in range(300, 600)}
    own = {
        "validation_error",
        "invalid_response",
        "network_error",
        "timeout",
        "tls_error",
        "client_closed",
        "disabled",
        "internal_error",
    }
    assert documented == by_status | own
    for row in rows:
        for status, name in zip(re.findall(r"\d{3}", row[1]), _names(row[0])):
            assert name in {error_spec(int(status)).type, "validation_error"}


def test_the_table_of_settings_is_complete() -> None:
    """The settings table has each field of Configuration."""
    documented = {name for row in _table("## Settings") for name in _names(row[0])}
    assert documented == {field.name for field in fields(Configuration)}


def test_the_table_of_payloads_is_complete() -> None:
    """The payload table has each field of both models, with its name on the wire."""
    rows = _table("## Payloads")
    for column, model in ((2, LeadPayload), (3, SalePayload)):
        documented = {_names(row[0])[0]: _names(row[1])[0] for row in rows if row[column] == "yes"}
        assert documented == {name: info.alias for name, info in model.model_fields.items()}


def test_the_links_lead_somewhere() -> None:
    """Files and sections that the README links to exist."""
    headings = {
        re.sub(r"[^\w -]", "", line.lstrip("# ").lower()).replace(" ", "-")
        for line in README.splitlines()
        if line.startswith("#")
    }
    for target in re.findall(r"\]\(([^)]+)\)", README):
        if target.startswith("#"):
            assert target[1:] in headings
        elif not target.startswith("https://"):
            assert (ROOT / target).is_file()
