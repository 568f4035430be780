"""What is special about the transactional outbox with Django."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from django.core.management import CommandError, call_command
from django.db import DatabaseError, connections, transaction
from django.test import override_settings
from sqlalchemy import make_url

from cutmeshort.integrations.django_outbox import DjangoTracker
from cutmeshort.outbox import Outbox
from cutmeshort.sandbox import Sandbox

from ..support.events import SALE_PAYLOAD, TOKEN
from ..support.platforms import not_on_windows
from ..support.server import Server, never_respond
from ..support.timing import LONG, wait_until
from .databases import DjangoDatabase
from .shops import sync_code_in_a_thread

MANAGE = """
import os, sys
from django.core.management import execute_from_command_line

os.environ["DJANGO_SETTINGS_MODULE"] = "settings"
execute_from_command_line(sys.argv)
"""
SETTINGS = """
SECRET_KEY = "x"
USE_TZ = True
INSTALLED_APPS = ["cutmeshort.integrations.django_outbox"]
DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": "shop.sqlite3"}}
CMS_OUTBOX = "outbox.db"
"""


@pytest.fixture
def database(tmp_path: Path) -> Iterator[DjangoDatabase]:
    """An empty database."""
    database = DjangoDatabase(make_url(f"sqlite:///{tmp_path / 'shop.sqlite3'}"))
    yield database
    database.close()


def track(using: Any = None) -> Any:
    """Track a sale in the current transaction."""
    return DjangoTracker(using).track_sale(**SALE_PAYLOAD)


@pytest.mark.usefixtures("database")
def test_the_migrations_are_complete() -> None:
    """`makemigrations` finds nothing to add to the app."""
    call_command("makemigrations", "--check", "--dry-run", verbosity=0)


@override_settings(DEFAULT_AUTO_FIELD="django.db.models.AutoField")
@pytest.mark.usefixtures("database")
def test_the_settings_of_the_project_do_not_change_the_table() -> None:
    """The app has the same table and no warning whatever the type of the project's ids is."""
    call_command("makemigrations", "--check", "--dry-run", verbosity=0)
    call_command("check", fail_level="WARNING")


def test_without_a_transaction_an_event_commits_at_once(database: DjangoDatabase) -> None:
    """In autocommit mode, each call is its own transaction."""
    assert track()["success"]
    connections["default"].close()
    assert database.rows() == 1


def test_a_transaction_that_is_broken_is_reported(database: DjangoDatabase) -> None:
    """After an error of the application in its transaction, the event can't be queued."""
    with transaction.atomic():
        try:
            with transaction.atomic(savepoint=False):
                database.execute("SELECT 1 FROM missing")
        except DatabaseError:
            pass
        assert track()["type"] == "outbox_error"
    assert database.rows() == 0


@pytest.mark.usefixtures("database")
def test_a_wrong_set_up_is_reported() -> None:
    """A call returns an error if the alias or the app is missing in the settings."""
    assert track("missing")["type"] == "outbox_error"
    assert track("default")["success"]
    with override_settings(INSTALLED_APPS=[]):
        assert track()["type"] == "outbox_error"


def test_async_code_needs_a_thread(database: DjangoDatabase) -> None:
    """An async view calls the tracker in a thread, like all code that uses the database."""

    def track_and_close() -> Any:
        try:
            return track()
        finally:
            connections["default"].close()

    async def view() -> None:
        assert track()["type"] == "outbox_error"
        assert (await sync_to_async(track_and_close)())["success"]

    with sync_code_in_a_thread():
        asyncio.run(view())
    assert database.rows() == 1


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project whose database has one event."""
    database = DjangoDatabase(make_url(f"sqlite:///{tmp_path / 'shop.sqlite3'}"))
    database.commit("inv_1")
    database.close()
    (tmp_path / "manage.py").write_text(MANAGE, encoding="utf-8")
    (tmp_path / "settings.py").write_text(SETTINGS, encoding="utf-8")
    return tmp_path


def deliver(project: Path, url: str, token: str, *arguments: str) -> "subprocess.Popen[str]":
    """Start the command."""
    command = [sys.executable, "-W", "error", "manage.py", "deliver_tracking", *arguments]
    environment = {**os.environ, "CMS_HOST": url, "CMS_BEARER_TOKEN": token}
    return subprocess.Popen(
        command, cwd=project, env=environment, stderr=subprocess.PIPE, text=True
    )


@not_on_windows("a signal ends a process on Windows instead of sending a signal")
def test_the_command_delivers_until_sigterm(project: Path) -> None:
    """The command delivers the events of the table, logs to stderr, and ends with 0."""
    options = ["--per-minute=0", "--outbox=other.db", "--database=default"]
    with Sandbox() as sandbox:
        process = deliver(project, sandbox.url, sandbox.token, *options)
        wait_until(lambda: bool(sandbox.sales))
        process.send_signal(signal.SIGTERM)
        _, errors = process.communicate(timeout=LONG)
        assert process.returncode == 0
        start = f"INFO: Delivery of the events in {(project / 'other.db').resolve()} starts"
        assert errors.splitlines() == [start, "INFO: Delivery ends"]
        assert [sale.invoice_id for sale in sandbox.sales] == ["inv_1"]
    with Outbox(project / "other.db") as outbox:
        assert outbox.storage.next(LONG) is None


@not_on_windows("a signal ends a process on Windows instead of sending a signal")
def test_a_second_signal_ends_the_command_at_once(project: Path) -> None:
    """The command finishes the request in progress, unless it gets a second signal."""
    with Server(never_respond) as server:
        process = deliver(project, server.url, TOKEN)
        assert server.wait_until(lambda: bool(server.requests))
        process.send_signal(signal.SIGTERM)

        def ends() -> bool:
            process.send_signal(signal.SIGTERM)  # signals that come at the same time count as one
            return process.poll() is not None

        wait_until(ends)
        process.communicate(timeout=LONG)
    assert process.returncode == -signal.SIGTERM


@pytest.mark.usefixtures("database")
def test_the_command_needs_a_file() -> None:
    """Without `--outbox` and the setting, the command is an error."""
    with pytest.raises(CommandError, match="CMS_OUTBOX") as caught:
        call_command("deliver_tracking")
    assert caught.value.returncode == 2


def test_the_command_needs_a_token(project: Path) -> None:
    """Without a token, the command ends with the reason."""
    process = deliver(project, "", "")
    _, errors = process.communicate(timeout=LONG)
    assert process.returncode == 2
    assert "CMS_BEARER_TOKEN" in errors
