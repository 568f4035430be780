"""How long the page keeps the browser's main thread busy."""

from .chromium import Page

# Runs before the page's script. The browser reports tasks of at least 50 ms only.
OBSERVE_TASKS = """
window.tasks = [];
new PerformanceObserver((list) => {
  window.tasks.push(...list.getEntries().map(({ duration }) => duration));
}).observe({ type: "longtask", buffered: true });
"""


def longest_task(page: Page) -> float:
    """Return the milliseconds of the page's longest task; 0 if all were shorter than 50 ms."""
    return float(page.evaluate("Math.max(0, ...window.tasks)"))
