"""`Outbox.deliver` delivers in the calling thread, and returns."""

from pathlib import Path

import pytest

from cutmeshort import ApiException, ApiValueError, CMSClient
from cutmeshort.outbox import Outbox
from cutmeshort.outbox.lock import DeliveryLock, is_locked
from cutmeshort.sandbox import Sandbox

from ..support.events import client_of, sale
from ..support.server import OK, Server, respond


def test_deliver_sends_all_events_that_wait(tmp_path: Path) -> None:
    """The outbox delivers every event, in order and without a wait, and releases the lock."""
    with (
        Outbox(tmp_path / "cms.db") as outbox,
        Sandbox() as sandbox,
        CMSClient(sandbox.token, sandbox.url) as client,
    ):
        for number in range(5):
            sale(outbox, invoice_id=number)
        assert outbox.deliver(client) == 0
        assert [each.invoice_id for each in sandbox.sales] == ["0", "1", "2", "3", "4"]
        assert not is_locked(outbox.storage.path)


def test_deliver_returns_when_the_service_fails(tmp_path: Path) -> None:
    """The outbox returns after the first pause, and sends the events in the next call."""
    steps = [respond(503), respond(503), OK, OK, OK]
    with Outbox(tmp_path / "cms.db") as outbox, Server(*steps) as server:
        for number in range(3):
            sale(outbox, invoice_id=number, customer_external_id=number)
        with client_of(server) as client:
            assert outbox.deliver(client) == 3
            assert len(server.requests) == 2
            assert outbox.deliver(client) == 0
            assert len(server.requests) == 5


def test_deliver_uses_the_settings_of_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a client, the outbox creates one, and a missing token is an error."""
    with Outbox(tmp_path / "cms.db") as outbox, Sandbox() as sandbox:
        sale(outbox)
        with pytest.raises(ApiValueError, match="there is no token"):
            outbox.deliver()
        monkeypatch.setenv("CMS_BEARER_TOKEN", sandbox.token)
        monkeypatch.setenv("CMS_HOST", sandbox.url)
        assert outbox.deliver() == 0
        assert len(sandbox.sales) == 1


def test_deliver_is_an_error_while_another_process_delivers(tmp_path: Path) -> None:
    """The outbox sends nothing, and raises an exception, if the lock is held."""
    with Outbox(tmp_path / "cms.db") as outbox, Server() as server, client_of(server) as client:
        sale(outbox)
        lock = DeliveryLock(outbox.storage.path)
        assert lock.acquire()
        with pytest.raises(ApiException, match="Another process") as raised:
            outbox.deliver(client)
        lock.release()
    assert raised.value.type == "outbox_error"
    assert server.requests == []
