"""
How fast the page is; not a test.

`python -m tests.browser.speed` prints how long an event takes from the sandbox to the page, and the
longest task of the page's main thread with 1,000 requests.
"""

import statistics
import time
from concurrent.futures import ThreadPoolExecutor

from cutmeshort import CMSClient
from cutmeshort.sandbox import Sandbox

from .chromium import Browser, Page, Windows, expect, start_chromium
from .parts import open_page, section, wait_until

_EVENTS = 50
_PAUSE = 0.2  # the events do not share an update
_REQUESTS = 1000
_THREADS = 4
# The browser reports tasks of at least 50 ms only.
_OBSERVE_TASKS = """
window.tasks = [];
new PerformanceObserver((list) => {
  window.tasks.push(...list.getEntries().map(({ duration }) => duration));
}).observe({ type: "longtask", buffered: true });
"""
# Notes when the name of each customer is first in the document.
_OBSERVE_NAMES = """
window.seen = {};
new MutationObserver((changes) => {
  const now = performance.timeOrigin + performance.now();
  for (const { addedNodes } of changes)
    for (const { textContent } of addedNodes)
      for (const [name] of (textContent ?? "").matchAll(/speed_\\d+/g)) window.seen[name] ??= now;
}).observe(document, { childList: true, subtree: true });
"""


def _lead(client: CMSClient, customer: str) -> None:
    assert client.track_lead("Sign up", customer, click_id="click_1")["success"]


def event_to_screen(windows: Windows, sandbox: Sandbox) -> list[float]:
    """Return the milliseconds from each event's response to its appearance, in ascending order."""
    page = open_page(windows, sandbox, init_script=_OBSERVE_NAMES)
    with CMSClient(sandbox.token, sandbox.url) as client:
        for number in range(_EVENTS):
            _lead(client, f"speed_{number}")
            time.sleep(_PAUSE)
    expect(section(page, "Requests")).to_contain_text(f"speed_{_EVENTS - 1}")
    seen = page.evaluate("window.seen")
    sent = [received.time.timestamp() * 1000 for received in sandbox.requests]
    return sorted(seen[f"speed_{number}"] - sent[number] for number in range(_EVENTS))


def burst(windows: Windows, sandbox: Sandbox) -> tuple[float, float]:
    """Return the longest task while 1,000 requests arrive, and the seconds until all are shown."""
    page = open_page(windows, sandbox, init_script=_OBSERVE_TASKS)
    page.evaluate("window.tasks = []")
    started = time.perf_counter()
    with CMSClient(sandbox.token, sandbox.url) as client, ThreadPoolExecutor(_THREADS) as threads:
        names = (f"user_{number}" for number in range(_REQUESTS))
        list(threads.map(lambda name: _lead(client, name), names))
    _wait(page, "document.getElementById('total').textContent === '1,000'")
    return _longest_task(page), time.perf_counter() - started


def loaded(windows: Windows, sandbox: Sandbox) -> tuple[float, float]:
    """Return the longest task while 1,000 requests are loaded, and while all are then shown."""
    page = windows.open(sandbox.url, init_script=_OBSERVE_TASKS)
    _wait(page, "document.getElementById('rows').children.length >= 50")
    page.wait_for_timeout(1000)
    at_first = _longest_task(page)
    page.evaluate("window.tasks = []")
    for name, shown in (("older", "rows"), ("more-chains", "chains")):
        while page.evaluate(f"document.getElementById('{name}').checkVisibility()"):
            page.evaluate(f"document.getElementById('{name}').click()")
            page.wait_for_timeout(200)
        _wait(page, f"document.getElementById('{shown}').children.length === {_REQUESTS}")
    return at_first, _longest_task(page)


def _longest_task(page: Page) -> float:
    """Return the milliseconds of the page's longest task; 0 if all were shorter than 50 ms."""
    return float(page.evaluate("Math.max(0, ...window.tasks)"))


def _wait(page: Page, condition: str) -> None:
    """Wait without Playwright's selectors, which would keep the page's main thread busy."""
    wait_until(page, lambda: page.evaluate(condition))


def _text(milliseconds: float) -> str:
    return f"{milliseconds:.0f} ms" if milliseconds else "under 50 ms"


def report(browser: Browser) -> None:
    """Print all figures."""
    windows = Windows(browser)
    with Sandbox() as sandbox:
        times = event_to_screen(windows, sandbox)
        windows.close()
    middle, high = statistics.median(times), times[int(len(times) * 0.95)]
    print(f"event to screen, {_EVENTS} events: median {middle:.1f} ms, 95 % {high:.1f} ms")
    with Sandbox() as sandbox:
        task, seconds = burst(windows, sandbox)
        print(f"longest task while {_REQUESTS} requests arrive in {seconds:.1f} s: {_text(task)}")
        windows.close()
        first, later = loaded(windows, sandbox)
        print(f"longest task with {_REQUESTS} requests: loading {_text(first)}, all {_text(later)}")
        windows.close()


if __name__ == "__main__":
    with start_chromium() as chromium:
        report(chromium)
