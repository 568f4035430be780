"""
The pytest plugin of CutMeShort: fixtures that make tests use a sandbox instead of the service.

Every run of pytest imports this module, so it imports the SDK only in tests that need it.
"""

# No annotation is evaluated, as old versions of pytest do not export all of these classes.
from __future__ import annotations

import atexit
import os
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import cache
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

import pytest

if TYPE_CHECKING:
    from urllib.parse import SplitResult

    from cutmeshort import CMSClient
    from cutmeshort.sandbox import Sandbox

_MAX_REQUESTS = 50
_MAX_HOSTS = 10
_MAX_TESTS = 3
_ADVICE = "Use the fixture cms_sandbox in these tests, or set cms_sandbox = all for every test."
# The sandbox of each test that uses one, and of each session with `cms_sandbox = all`.
_sandboxes: WeakKeyDictionary[pytest.Item | pytest.Config, Sandbox] = WeakKeyDictionary()


@pytest.fixture(scope="session")
def cms_sandbox_options() -> dict[str, Any]:
    """Arguments of the Sandbox; override this fixture in the top-level conftest.py."""
    return {}


@pytest.fixture(scope="session")
def _cms_server(
    request: pytest.FixtureRequest, cms_sandbox_options: dict[str, Any]
) -> Iterator[Sandbox]:
    """The sandbox of this process; it runs until the end of the session."""
    running = _sandboxes.get(request.config)
    if running is not None and not cms_sandbox_options:
        yield running
        return
    try:
        from cutmeshort.sandbox import Sandbox
    except ModuleNotFoundError as error:
        pytest.fail(f"cms_sandbox: {error}", pytrace=False)
    with Sandbox(**cms_sandbox_options) as sandbox:
        yield sandbox


@pytest.fixture
def cms_sandbox(request: pytest.FixtureRequest, _cms_server: Sandbox) -> Iterator[Sandbox]:
    """
    An empty CutMeShort sandbox, which the application uses instead of the service.

    Until the end of the test, all clients that exist send their events to the sandbox, and
    CMS_HOST, CMS_BEARER_TOKEN and CMS_ENABLED are set for new ones.
    """
    _cms_server.reset()
    _sandboxes[request.node] = _cms_server
    with _used(_cms_server):
        yield _cms_server
    # Pending faults must not affect fixtures with a broader scope. The report needs the requests.
    _cms_server.clear_faults()


@pytest.fixture
def cms_client(cms_sandbox: Sandbox) -> Iterator[CMSClient]:
    """A CMSClient of the sandbox, with `max_retries=0` and `timeout=5`."""
    from cutmeshort import CMSClient

    with CMSClient(cms_sandbox.token, cms_sandbox.url, max_retries=0, timeout=5) as client:
        yield client


class _EveryTest:
    """A plugin for `cms_sandbox = all`."""

    @pytest.fixture(autouse=True)
    def _cms_sandbox_in_every_test(self, cms_sandbox: Sandbox) -> None:
        pass


@contextmanager
def _used(sandbox: Sandbox) -> Iterator[None]:
    """Make all clients of the process use a sandbox."""
    from cutmeshort.testing import redirect

    # Not the test's `monkeypatch`, which a test may undo.
    with pytest.MonkeyPatch.context() as patch, redirect(sandbox.url, sandbox.token):
        patch.setenv("CMS_HOST", sandbox.url)
        patch.setenv("CMS_BEARER_TOKEN", sandbox.token)
        patch.setenv("CMS_ENABLED", "1")
        yield


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the ini option."""
    parser.addini(
        "cms_sandbox",
        "off: only tests with the fixture cms_sandbox use a CutMeShort sandbox; all: every test",
        default="off",
    )


@pytest.hookimpl(tryfirst=True)
def pytest_load_initial_conftests(early_config: pytest.Config) -> None:
    """With `cms_sandbox = all`, use a sandbox before any conftest imports the application."""
    _start_if_all(early_config)


def pytest_configure(config: pytest.Config) -> None:
    """Do the same if a conftest loads the plugin, and count the calls to other hosts."""
    _start_if_all(config)
    config.pluginmanager.register(_OtherHosts(config), "cutmeshort_other_hosts")


def _start_if_all(config: pytest.Config) -> None:
    mode = config.getini("cms_sandbox")
    if mode not in ("off", "all"):
        raise pytest.UsageError(f"cms_sandbox must be off or all, not {mode!r}")
    if mode == "off" or config in _sandboxes:
        return
    try:
        _sandboxes[config] = _start(os.getpid())
    except ModuleNotFoundError as error:
        raise pytest.UsageError(f"cms_sandbox = all: {error}") from None
    config.pluginmanager.register(_EveryTest(), "cutmeshort_every_test")


@cache
def _start(process: int) -> Sandbox:  # noqa: ARG001 - a forked child starts its own
    """
    Start the sandbox that all clients use until the process ends.

    A thread that a test has started, or an atexit function, may call a client after the run.
    """
    from cutmeshort.sandbox import Sandbox

    with ExitStack() as stack:
        sandbox = stack.enter_context(Sandbox())
        stack.enter_context(_used(sandbox))
        atexit.register(stack.pop_all().close)
    return sandbox


def pytest_assertrepr_compare(op: str, left: object, right: object) -> list[str] | None:
    """Describe how recorded events (on the left) differ from expected ones, field by field."""
    comparison = sys.modules.get("cutmeshort.sandbox.comparison")
    lines = comparison.explain_inequality(left, right) if comparison and op == "==" else None
    return ["recorded events == expected events", *lines] if lines else None


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Any:
    """Add the requests of a failed test to its report."""
    report = (yield).get_result()
    sandbox = _sandboxes.get(item)
    if report.failed and sandbox is not None and sandbox.requests:
        lines = [str(request) for request in sandbox.requests[-_MAX_REQUESTS:]]
        report.sections.append(("CutMeShort requests", "\n".join(lines)))


class _OtherHosts:
    """
    A plugin that warns if tests called hosts that are not sandboxes of their process.

    In a test that does not use the sandbox, hosts on loopback are servers of the test.
    """

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._observed = False
        # The host of each call of the running test, and whether it is on loopback.
        self._hosts: list[tuple[str, bool]] = []
        self._calls: Counter[str] = Counter()  # of the session, by host
        self._tests: dict[str, dict[str, None]] = {}  # by host; the keys are an ordered set

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_setup(self) -> None:
        """Observe the calls of the test, and of its fixtures."""
        self._observe()

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_call(self) -> None:
        """Observe the calls of the test, if a fixture imported the SDK."""
        self._observe()

    def _observe(self) -> None:
        if not self._observed and "cutmeshort.rest" in sys.modules:
            from cutmeshort.testing import observe_hosts

            stack = ExitStack()
            stack.enter_context(observe_hosts(self._add))
            self._config.add_cleanup(stack.close)
            self._observed = True

    def _add(self, url: SplitResult) -> None:
        from cutmeshort.checks import is_loopback

        local = is_loopback(url.hostname or "")
        background = sys.modules.get("cutmeshort.sandbox.http.background")
        is_sandbox = local and background and url.port in background.listening_ports()
        if not is_sandbox:
            self._hosts.append((url.netloc, local))

    @pytest.hookimpl(hookwrapper=True)
    def pytest_runtest_makereport(self, item: pytest.Item) -> Any:
        """Add the hosts to the report, which xdist sends to the main process."""
        report = (yield).get_result()
        hosts, self._hosts = self._hosts, []
        counted = [host for host, local in hosts if item in _sandboxes or not local]
        report.cms_calls = dict(Counter(counted))

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Add up the calls of all tests."""
        calls_by_host: dict[str, int] = getattr(report, "cms_calls", {})
        for host, calls in calls_by_host.items():
            self._calls[host] += calls
            self._tests.setdefault(host, {})[report.nodeid] = None

    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        """List the hosts, with some of the tests that called them."""
        if not self._calls:
            return
        terminalreporter.section("CutMeShort", yellow=True)
        terminalreporter.line("Calls went to hosts other than the sandbox:", yellow=True)
        for host, calls in self._calls.most_common(_MAX_HOSTS):
            terminalreporter.line(f"{host}: {calls} in {_first([*self._tests[host]])}")
        more = len(self._calls) - _MAX_HOSTS
        if more > 0:
            terminalreporter.line(f"and {more} more hosts")
        if self._config not in _sandboxes:
            terminalreporter.line(_ADVICE)


def _first(tests: list[str]) -> str:
    more = f" and {len(tests) - _MAX_TESTS} more" if len(tests) > _MAX_TESTS else ""
    return ", ".join(tests[:_MAX_TESTS]) + more
