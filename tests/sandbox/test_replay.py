"""Sending a request again."""

import signal
import threading
from typing import Any

import pytest

from cutmeshort import ApiValueError, CMSClient
from cutmeshort.sandbox import Sandbox
from cutmeshort.sandbox.state.exchanges import MAX_KEPT_BODY
from cutmeshort.sandbox.state.tokens import mask_token

from ..support.events import lead
from ..support.timing import LONG, SLACK, timed, wait_until
from .helpers import LEAD, connect, head, post, read_to_end
from .test_control import write

REQUEST = {"event": "Sign up", "customer": "user_42", "click": "click_1"}


@pytest.fixture(params=["HTTP", "Python"])
def replay(request: pytest.FixtureRequest, sandbox: Sandbox) -> Any:
    """A function that sends a request again, by HTTP or with `Sandbox.replay`."""
    if request.param == "Python":
        return sandbox.replay

    def send(request_id: str) -> Any:
        status, entry = write(sandbox, "POST", f"/_sandbox/requests/{request_id}/replay")
        assert status == 200
        return entry

    return send


def test_a_replay_is_a_new_request_with_the_same_bytes(
    replay: Any, sandbox: Sandbox, client: CMSClient
) -> None:
    """The replay of a recorded event is a duplicate in the log, with the same headers and body."""
    first = lead(client)["request_id"]
    entry = replay(first)
    assert (entry["state"], entry["replay_of"], entry["status"]) == ("duplicate", first, 200)
    assert entry["id"] != first
    assert sandbox.log()[0] == entry
    old, new = sandbox.request(first), sandbox.request(entry["id"])
    assert old is not None
    assert new is not None
    assert new["request"] == old["request"]
    assert len(sandbox.leads) == 1


def test_a_replay_sends_the_token_of_the_original(replay: Any, sandbox: Sandbox) -> None:
    """A request with a wrong token is rejected again, and its body was kept."""
    post(sandbox, LEAD, Authorization="Bearer wrong")
    entry = replay(sandbox.log()[0]["id"])
    assert {name: entry[name] for name in REQUEST} == REQUEST
    assert (entry["status"], entry["type"]) == (401, "unauthorized")


def test_a_masked_token_is_replaced(replay: Any, sandbox: Sandbox) -> None:
    """The replay of a request from a file, whose token is masked, sends the sandbox's token."""
    post(sandbox, LEAD)
    (exchange,) = sandbox._state.log.newest()
    others = [header for header in exchange.headers if header[0] != b"authorization"]
    for token, status in ((mask_token(sandbox.token), 200), (mask_token("x" * 20), 401)):
        exchange.headers = [*others, (b"Authorization", f"Bearer {token}".encode())]
        assert replay(exchange.request_id)["status"] == status


def test_the_rate_limit_applies_to_a_replay(replay: Any, sandbox: Sandbox) -> None:
    """A replay beyond the limit gets 429; once the limit is off, it is recorded."""
    sandbox.update_settings(rate_limit=1)
    post(sandbox, {})
    post(sandbox, LEAD)
    entry = replay(sandbox.log()[0]["id"])
    assert entry["status"] == 429
    sandbox.update_settings(rate_limit=None)
    assert replay(entry["id"])["state"] == "recorded"


@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        ({"status": 503}, (503, "failed", False, "503")),
        ({"drop": True}, (None, "failed", False, "drop")),
        ({"drop": True, "recorded": True}, (None, "failed", True, "record, then drop")),
        ({"latency": 0.05}, (200, "recorded", True, "0.05 s late")),
        ({"drop": True, "latency": 0.05}, (None, "failed", False, "drop, 0.05 s late")),
    ],
)
def test_faults_apply_to_a_replay(
    fault: Any, expected: Any, replay: Any, sandbox: Sandbox, client: CMSClient
) -> None:
    """A replay has the next fault, and returns once it is done."""
    with sandbox.outage():
        first = lead(client, max_retries=0)["request_id"]
    sandbox.fail_next(**fault)
    entry = replay(first)
    assert tuple(entry[name] for name in ("status", "state", "recorded", "fault")) == expected


def test_a_body_that_was_cut_cannot_be_replayed(sandbox: Sandbox) -> None:
    """A request whose body is larger than what is kept is not sent again."""
    post(sandbox, {**LEAD, "customerName": "x" * MAX_KEPT_BODY})
    request_id = sandbox.log()[0]["id"]
    status, error = write(sandbox, "POST", f"/_sandbox/requests/{request_id}/replay")
    assert (status, "16 KiB" in error["error"]) == (409, True)
    with pytest.raises(ApiValueError, match="16 KiB"):
        sandbox.replay(request_id)
    with pytest.raises(ApiValueError, match="no request"):
        sandbox.replay("req_x")
    assert len(sandbox.log()) == 1


def test_a_sandbox_that_does_not_run_replays_nothing() -> None:
    """Before the start and after the stop, a replay raises an error."""
    sandbox = Sandbox()
    for _ in range(2):
        with pytest.raises(RuntimeError, match="does not run"):
            sandbox.replay("req_x")
        with sandbox:
            pass


@pytest.mark.parametrize("way", ["HTTP", "Python"])
def test_the_stop_ends_a_replay(
    way: str, log: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    """A replay that waits for a latency ends when the sandbox stops, without a response."""
    with Sandbox() as sandbox, CMSClient(sandbox.token, sandbox.url) as client:
        first = lead(client)["request_id"]
        sandbox.fail_next(latency=3600)
        if way == "Python":
            results: list[Any] = []
            send = threading.Thread(target=lambda: results.append(sandbox.replay(first)))
        else:
            connection = connect(sandbox)
            path = f"/_sandbox/requests/{first}/replay"
            connection.sendall(
                head(sandbox, "Content-Length: 0").replace(b"/track/lead", path.encode())
            )
            send = threading.Thread(target=lambda: read_to_end(connection))
        send.start()
        wait_until(lambda: not sandbox.faults)
        assert timed(sandbox.__exit__)[1] < SLACK
        send.join(LONG)
        if way == "Python":
            assert (results[0]["type"], results[0]["replay_of"]) == ("disconnected", first)
        else:
            connection.close()
    assert not log.records
    assert capfd.readouterr().err == ""


@pytest.mark.skipif(not hasattr(signal, "pthread_kill"), reason="needs signals of a thread")
def test_a_replay_can_be_interrupted() -> None:
    """Ctrl+C ends a replay that waits for a latency, and the sandbox still responds and stops."""

    def interrupt() -> None:
        wait_until(lambda: not sandbox.faults)
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)

    with Sandbox() as sandbox, CMSClient(sandbox.token, sandbox.url) as client:
        first = lead(client)["request_id"]
        sandbox.fail_next(latency=3600)
        thread = threading.Thread(target=interrupt)
        thread.start()
        with pytest.raises(KeyboardInterrupt):
            sandbox.replay(first)
        thread.join()
        assert lead(client)["success"] is True
    assert "disconnected" in [received.type for received in sandbox.requests]


def test_a_replay_does_not_wait_for_a_server_that_failed(monkeypatch: pytest.MonkeyPatch) -> None:
    """If the server fails before it sends the request again, the replay raises an error."""
    monkeypatch.setattr(threading, "excepthook", lambda _: None)
    blocked, fail = threading.Event(), threading.Event()

    async def on_tick(*_: Any) -> None:
        blocked.set()
        fail.wait(LONG)
        raise ZeroDivisionError

    with Sandbox() as sandbox:
        monkeypatch.setattr(sandbox._runner.server, "on_tick", on_tick)
        post(sandbox, LEAD)
        request_id = sandbox.log()[0]["id"]
        assert blocked.wait(LONG)
        timer = threading.Timer(0.2, fail.set)
        timer.start()
        with pytest.raises(RuntimeError, match="has stopped"):
            sandbox.replay(request_id)
        timer.join()
        with pytest.raises(RuntimeError, match="has stopped"):
            sandbox.replay(request_id)


def test_a_timeout_in_the_server_ends_a_replay(
    sandbox: Sandbox, client: CMSClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A TimeoutError that ends the replayed request reaches the caller, who waits no longer."""

    def time_out(*_: Any) -> None:
        raise TimeoutError

    request_id = lead(client)["request_id"]
    monkeypatch.setattr(sandbox._state.service, "record", time_out)
    with pytest.raises(TimeoutError):
        sandbox.replay(request_id)
