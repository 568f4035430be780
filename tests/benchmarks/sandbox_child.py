"""
The processes of `tests.benchmarks.sandbox`: a start, a server, a client, and open pages.

`python -m tests.benchmarks.sandbox_child NAME [ARGUMENT…]`; each prints lines of JSON. PYTHONPATH
selects the version of the SDK.
"""

import json
import selectors
import socket
import sys
import time
from statistics import median


def start(times: int) -> None:
    """Print the seconds of the import, and the median seconds to create, start and stop."""
    begin = time.perf_counter()
    from cutmeshort.sandbox import Sandbox

    seconds = {"import": time.perf_counter() - begin}
    moments = []
    for _ in range(times):
        created = time.perf_counter()
        sandbox = Sandbox()
        entered = time.perf_counter()
        with sandbox:
            started = time.perf_counter()
        moments.append((created, entered, started, time.perf_counter()))
    for number, name in enumerate(("create", "start", "stop")):
        seconds[name] = median(moment[number + 1] - moment[number] for moment in moments)
    seconds["create, start and stop"] = median(moment[3] - moment[0] for moment in moments)
    say(seconds)


def serve() -> None:
    """Print the port of a sandbox, then its CPU time for each line of the input, until its end."""
    from cutmeshort.sandbox import Sandbox

    with Sandbox() as sandbox:
        say(int(sandbox.url.rpartition(":")[2]))
        for _ in sys.stdin:
            say(time.process_time())


def send(port: int, client: int, seconds: float) -> None:
    """Print a line, wait for one, send requests for some seconds, and print how many per second."""
    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        say("ready")
        sys.stdin.readline()
        begin = time.perf_counter()
        number = 0
        while time.perf_counter() < begin + seconds:
            number += 1
            connection.sendall(_request(f"{client}_{number}"))
            _read_success(connection)
        say(number / (time.perf_counter() - begin))


def _request(name: str) -> bytes:
    event = {"eventName": "Sign up", "customerExternalId": f"user_{name}", "clickId": name}
    body = json.dumps(event).encode()
    lines = [
        "POST /track/lead HTTP/1.1",
        "Host: 127.0.0.1",
        "Authorization: Bearer sandbox-token",
        "Content-Type: application/json",
        f"Content-Length: {len(body)}",
    ]
    return "\r\n".join([*lines, "", ""]).encode() + body


def _read_success(connection: socket.socket) -> None:
    received = b""
    while not received.endswith(b"}"):
        part = connection.recv(65536)
        assert part, "the sandbox closed the connection"
        received += part
    assert received.startswith(b"HTTP/1.1 200 "), received


def follow(port: int, pages: int) -> None:
    """Read the changes of the sandbox like open pages, and print how many events each received."""
    selector = selectors.DefaultSelector()
    events = {}
    for number in range(pages):
        connection = socket.create_connection(("127.0.0.1", port))
        connection.sendall(b"GET /_sandbox/events HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
        assert connection.recv(15) == b"HTTP/1.1 200 OK"
        selector.register(connection, selectors.EVENT_READ, number)
        events[number] = 0
    selector.register(sys.stdin, selectors.EVENT_READ)
    say("ready")
    while True:
        for key, _ in selector.select():
            if key.fileobj is sys.stdin:
                say(min(events.values()))
                return
            data = key.fileobj.recv(2**18)  # type: ignore[union-attr]
            events[key.data] += data.count(b"event: update\n")


def browse(port: int, pages: int) -> None:
    """Do as `follow`, with pages in Chromium."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path="/usr/bin/chromium", args=["--no-sandbox"]
        )
        shown = []
        for _ in range(pages):
            page = browser.new_context().new_page()
            page.goto(f"http://127.0.0.1:{port}/")
            page.get_by_text("Live", exact=True).first.wait_for()
            shown.append(page)
        say("ready")
        sys.stdin.readline()
        say(min(page.get_by_text("Sign up").count() for page in shown))
        browser.close()


def say(value: object) -> None:
    """Print a line of JSON."""
    print(json.dumps(value), flush=True)


if __name__ == "__main__":
    name, *arguments = sys.argv[1:]
    functions = {each.__name__: each for each in (start, serve, send, follow, browse)}
    functions[name](*map(int, arguments))
