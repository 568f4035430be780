"""The stream of server-sent events, and `Sandbox.events`, which is the same in Python."""

import socket
import threading
import time
from collections.abc import Iterator
from typing import Any, Callable

import pytest

from cutmeshort import CMSClient
from cutmeshort.sandbox import Sandbox
from cutmeshort.sandbox.control import stream as stream_module
from cutmeshort.sandbox.control.follower import INTERVAL
from cutmeshort.sandbox.state.changes import MAX_CHANGES

from ..support.events import lead, sale
from ..support.timing import LONG, SLACK, timed, wait_until
from .helpers import port_of, request
from .streams import Stream

NextEvent = Callable[[], dict[str, Any]]


@pytest.fixture(params=["HTTP", "Python"])
def following(
    request: pytest.FixtureRequest, sandbox: Sandbox
) -> Iterator[Callable[..., NextEvent]]:
    """A function that follows the sandbox after a number, by HTTP or with `Sandbox.events`."""
    opened: list[Any] = []

    def follow(after: Any = None) -> NextEvent:
        if request.param == "HTTP":
            stream = Stream(sandbox, "" if after is None else f"?after={after}").__enter__()
            opened.append(lambda: stream.__exit__(None, None, None))
            return stream.event
        events = sandbox.events(after, timeout=LONG)
        opened.append(events.close)  # type: ignore[attr-defined]
        return lambda: next(events)

    yield follow
    for close in opened:
        close()


def test_a_follower_gets_a_snapshot_and_then_what_changes(
    following: Callable[..., NextEvent], sandbox: Sandbox, client: CMSClient
) -> None:
    """The first event is the state; an event that is recorded then comes with its request."""
    lead(client)
    next_event = following()
    snapshot = next_event()
    assert (snapshot["event"], snapshot["data"]["token"]) == ("snapshot", "sandbox-token")
    assert snapshot["id"] == snapshot["data"]["sequence"]
    assert [chain["customer"] for chain in snapshot["data"]["chains"]] == ["user_42"]
    result = sale(client, customer_external_id="user_43")
    seen: dict[str, Any] = {}
    number = snapshot["id"]
    while "requests" not in seen:
        update = next_event()
        assert (update["event"], update["data"]["sequence"]) == ("update", update["id"])
        assert update["id"] > number
        number = update["id"]
        seen.update(update["data"])
    assert [each["id"] for each in seen["requests"]] == [result["request_id"]]
    assert [chain["customer"] for chain in seen["chains"]] == ["user_43"]
    assert seen["totals"]["requests"]["recorded"] == 2
    assert "settings" not in seen
    sandbox.update_settings(duplicate_status=409)
    while "settings" not in seen:
        seen = next_event()["data"]
    assert seen["settings"]["duplicate_status"] == 409


def test_a_clear_sends_a_snapshot(
    following: Callable[..., NextEvent], sandbox: Sandbox, client: CMSClient
) -> None:
    """After a clear, followers get the whole state again."""
    lead(client)
    next_event = following()
    next_event()
    sandbox.clear()
    event = next_event()
    while event["event"] != "snapshot":
        event = next_event()
    assert (event["data"]["chains"], event["data"]["undo"]) == ([], True)


def test_a_follower_resumes_after_a_number(
    following: Callable[..., NextEvent], sandbox: Sandbox
) -> None:
    """A follower that knows one of the last 1,000 changes gets only what came later."""
    number = sandbox.state()["sequence"]
    sandbox.fail_next(status=503)
    event = following(number)()
    assert event["event"] == "update"
    assert [fault["label"] for fault in event["data"]["faults"]] == ["503"]


def test_a_number_that_is_too_old_or_unknown_gives_a_snapshot(
    following: Callable[..., NextEvent], sandbox: Sandbox
) -> None:
    """A follower gets the state if its number is of another run, or its changes are forgotten."""
    number = sandbox.state()["sequence"]
    for unknown in (0, 1, number + 999):
        assert following(unknown)()["event"] == "snapshot"
    for _ in range(MAX_CHANGES + 1):
        sandbox.fail_next(status=503)
        sandbox.clear_faults()
    assert following(number)()["event"] == "snapshot"


def test_the_header_of_a_reconnecting_browser_takes_precedence(sandbox: Sandbox) -> None:
    """Last-Event-ID resumes the stream, whatever the URL; one that is not a number does not."""
    number = sandbox.state()["sequence"]
    sandbox.fail_next(status=503)
    with Stream(sandbox, "?after=1", f"Last-Event-ID: {number}") as stream:
        assert stream.event()["event"] == "update"
    for text in ("", "-1", "x", "²", "9" * 9999):
        with Stream(sandbox, f"?after={number}", f"Last-Event-ID: {text}".rstrip()) as stream:
            assert stream.event()["event"] == "snapshot"


def test_the_stream_is_not_cached_and_has_its_type(sandbox: Sandbox) -> None:
    """The headers of the stream are those of server-sent events."""
    with Stream(sandbox) as stream:
        assert stream.status == 200
        assert stream.headers["content-type"] == "text/event-stream; charset=utf-8"
        assert stream.headers["cache-control"] == "no-store"
        assert "access-control-allow-origin" not in stream.headers


def test_many_changes_come_in_few_events(sandbox: Sandbox) -> None:
    """While changes come fast, the stream sends one event for many of them."""
    with Stream(sandbox) as stream:
        number = stream.event()["id"]
        begin = time.monotonic()
        for _ in range(100):
            sandbox.fail_next(status=503)
            time.sleep(0.002)
        last, events = sandbox.state()["sequence"], 0
        while number < last:
            number, events = stream.event()["id"], events + 1
    assert events <= (time.monotonic() - begin) / INTERVAL + 2


def test_several_streams_get_the_same_event(sandbox: Sandbox, client: CMSClient) -> None:
    """All followers get every change."""
    with Stream(sandbox) as first, Stream(sandbox) as second, Stream(sandbox) as third:
        streams = (first, second, third)
        numbers = {stream.event()["id"] for stream in streams}
        assert len(numbers) == 1
        lead(client)
        last = sandbox.state()["sequence"]
        for stream in streams:
            while stream.event()["id"] < last:
                pass


def test_the_meter_of_the_rate_limit_falls(
    following: Callable[..., NextEvent],
    sandbox: Sandbox,
    client: CMSClient,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """When requests leave the minute of the rate limit, followers get the new totals."""
    sandbox.update_settings(rate_limit=60)
    lead(client)
    next_event = following()
    used = next_event()["data"]["totals"]["rate_limit"]["used"]
    assert used == 1
    monkeypatch.setattr("cutmeshort.sandbox.state.rate_limit._WINDOW_SECONDS", 0.5)
    begin = time.monotonic()
    while used:
        totals = next_event()["data"].get("totals")
        used = totals["rate_limit"]["used"] if totals else used
    assert time.monotonic() - begin < 1 + SLACK


def test_a_quiet_stream_sends_comments(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    """While nothing changes, the stream sends comments, so that proxies keep it open."""
    monkeypatch.setattr(stream_module, "_COMMENT_SECONDS", 0.05)
    with Stream(sandbox) as stream:
        stream.event()
        assert [stream.block() for _ in range(3)] == [":"] * 3


def test_a_slow_reader_delays_no_other(sandbox: Sandbox, client: CMSClient) -> None:
    """A client that does not read delays no other, and the sandbox keeps little for it."""
    for number in range(200):  # an event of about 300 kB
        name = f"{number:x<255}"
        assert lead(client, event_name=name, customer_external_id=name)["success"] is True
    sandbox.clear()
    with socket.socket() as slow, Stream(sandbox) as stream:
        slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        slow.connect(("127.0.0.1", port_of(sandbox)))
        slow.sendall(b"GET /_sandbox/events HTTP/1.1\r\nHost: localhost\r\n\r\n")
        for change in [sandbox.undo, sandbox.clear] * 20:
            change()
            last = sandbox.state()["sequence"]
            while stream.event()["id"] < last:
                pass
        connections = list(sandbox._runner.server.server_state.connections)
        unsent = [each.transport.get_write_buffer_size() for each in connections]
        assert 0 < max(unsent) < 2_000_000


def test_the_stop_ends_all_followers(
    log: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    """Streams and iterators end at once when the sandbox stops, and nothing is logged."""
    received: list[list[Any]] = []

    def follow(sandbox: Sandbox, ready: threading.Event) -> None:
        events = []
        for event in sandbox.events():
            events.append(event["event"])
            ready.set()
        received.append(events)

    sandbox = Sandbox()
    for _ in range(2):  # the second time, on another port
        ready = threading.Event()
        thread = threading.Thread(target=follow, args=(sandbox, ready))
        with sandbox, Stream(sandbox) as stream, Stream(sandbox) as unread:
            stream.event()
            thread.start()
            assert ready.wait(LONG)
            assert timed(sandbox.__exit__)[1] < SLACK
            assert stream.block() == ""
            assert unread.status == 200
        thread.join(LONG)
    assert received == [["snapshot"], ["snapshot"]]
    assert not log.records
    assert capfd.readouterr().err == ""


def test_a_client_that_leaves_is_forgotten(sandbox: Sandbox) -> None:
    """After a client disconnects, the sandbox no longer follows the changes for it."""
    with Stream(sandbox) as stream:
        stream.event()
        assert len(sandbox._state.changes._listeners) == 1
    wait_until(lambda: not sandbox._state.changes._listeners)


def test_the_iterator_ends_after_its_timeout(sandbox: Sandbox) -> None:
    """`events` ends if nothing happens for the timeout, and leaves nothing behind."""
    events = [event["event"] for event in sandbox.events(timeout=0.05)]
    assert events == ["snapshot"]
    assert not sandbox._state.changes._listeners


def test_the_iterator_needs_a_running_sandbox() -> None:
    """Before the start, `events` raises an error that says how to start the sandbox."""
    with pytest.raises(RuntimeError, match="with Sandbox"):
        next(Sandbox().events())


def test_a_head_request_has_no_stream(sandbox: Sandbox) -> None:
    """A HEAD request, which would never end, is rejected."""
    assert request(sandbox, "HEAD", "/_sandbox/events").status == 405


def test_a_later_run_knows_no_number_of_an_earlier_one() -> None:
    """Numbers begin above those of an earlier run, however fast its changes followed each other."""
    with Sandbox() as earlier:
        for _ in range(2000):
            earlier.click()
        known = earlier.state()["sequence"]
    with Sandbox() as later:
        assert later.state()["sequence"] > known
