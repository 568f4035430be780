"""The ini option, the command line, and runs of pytest that do not use the plugin."""

import re
import sys
from pathlib import Path

import pytest

from ..support.forking import forks
from ..support.processes import run_python
from .runs import ENVIRONMENT, run_pytest
from .test_every_test import INI

pytest_plugins = ["pytester"]


@pytest.fixture
def project(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> pytest.Pytester:
    """An empty project, in whose runs only this plugin is loaded."""
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    return pytester


def test_an_invalid_mode_is_a_usage_error(project: pytest.Pytester) -> None:
    """Pytest rejects a value of the ini option that is neither off nor all."""
    project.makeini("[pytest]\ncms_sandbox = on\n")
    result = project.runpytest_subprocess()
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["ERROR: cms_sandbox must be off or all, not 'on'"])


@pytest.mark.parametrize("arguments", [["--collect-only"], ["--help"], ["--fixtures"]])
def test_a_run_without_tests_ends_as_usual(arguments: list[str], project: pytest.Pytester) -> None:
    """With `cms_sandbox = all`, the sandbox does not keep a run without tests from ending."""
    project.makeini(INI)
    project.makepyfile("def test_it(): pass")
    result = project.runpytest_subprocess(*arguments, timeout=60)
    assert result.ret == 0
    assert "cms_sandbox" in result.stdout.str() or arguments == ["--collect-only"]


def test_a_conftest_that_fails_ends_as_usual(project: pytest.Pytester) -> None:
    """With `cms_sandbox = all`, an error in a conftest is reported and ends the run."""
    project.makeini(INI)
    project.makeconftest("import os; raise ValueError(os.environ['CMS_HOST'])")
    result = project.runpytest_subprocess(timeout=60)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*ValueError: http://127.0.0.1:*"])


WITHOUT_EXTRA = "import sys; sys.modules['fastapi'] = None"
ADVICE = 'the sandbox needs fastapi: pip install "cutmeshort[sandbox]"'


def test_a_fixture_without_the_extra_says_how_to_install_it(project: pytest.Pytester) -> None:
    """Without the extra, the fixtures fail with one line, and other tests run."""
    project.makeconftest(WITHOUT_EXTRA)
    project.makepyfile("def test_it(cms_client): pass\ndef test_other(): pass")
    result = project.runpytest_subprocess()
    result.assert_outcomes(passed=1, errors=1)
    result.stdout.fnmatch_lines([f"cms_sandbox: {ADVICE}"])
    result.stdout.no_fnmatch_line("*Traceback*")
    result.stdout.no_fnmatch_line("*pytest_cutmeshort.py*")


def test_all_without_the_extra_is_a_usage_error(project: pytest.Pytester) -> None:
    """Without the extra, `cms_sandbox = all` is rejected in one line."""
    project.makepyfile(blocker=WITHOUT_EXTRA)
    project.makeini(INI)
    project.syspathinsert()
    result = project.runpytest_subprocess("-p", "blocker")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([f"ERROR: cms_sandbox = all: {ADVICE}"])


def test_a_plugin_that_is_loaded_late_protects_the_tests(
    project: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If a conftest loads the plugin, `cms_sandbox = all` applies to the tests."""
    monkeypatch.delenv("PYTEST_PLUGINS")
    project.makeini(INI)
    project.makeconftest("from cutmeshort import CMSClient\npytest_plugins = ['pytest_cutmeshort']")
    project.makepyfile("""
        from cutmeshort import CMSClient

        client = CMSClient("secret", "https://real.example")

        def test_it():
            assert client.track_lead("Sign up", "user_42", "click_1")["success"]
    """)
    project.runpytest_subprocess(timeout=60).assert_outcomes(passed=1)


# Runs pytest twice, and prints what that has left behind.
PROGRAM = """
import os, threading

import pytest

from cutmeshort import ApiClient


def state():
    variables = {name: value for name, value in os.environ.items() if name.startswith("CMS_")}
    return variables, ApiClient._send, ApiClient.__init__


before, threads = state(), threading.active_count()
codes = [int(pytest.main()) for _ in range(2)]
print(codes, state() == before, threading.active_count() - threads)
"""


@pytest.mark.parametrize(("mode", "printed"), [("off", "[0, 0] True 0"), ("all", "[0, 0] False 1")])
def test_what_a_run_leaves_behind(mode: str, printed: str, project: pytest.Pytester) -> None:
    """A run restores everything; with `all`, one sandbox serves all runs of the process."""
    project.makeini(f"[pytest]\ncms_sandbox = {mode}\n")
    project.makepyfile("def test_it(cms_client): assert cms_client")
    result = project.run(sys.executable, "-c", PROGRAM)
    result.stdout.re_match_lines([re.escape(printed)])


# Runs pytest, and then again in a forked child, as tools for mutation tests do.
FORKING = """
import os

import pytest

assert pytest.main() == 0
child = os.fork()
if child == 0:
    os._exit(pytest.main())
print("child", os.waitpid(child, 0)[1])
"""


@forks
def test_a_run_in_a_forked_child_has_its_own_sandbox(project: pytest.Pytester) -> None:
    """With `all`, a forked child does not use the sandbox of a run in its parent."""
    project.makeini(INI)
    project.makepyfile("""
        def test_it(cms_client, cms_sandbox):
            cms_client.track_lead("Sign up", "user_42", "click_1")
            cms_sandbox.assert_lead()
    """)
    result = project.run(sys.executable, "-c", FORKING)
    result.stdout.fnmatch_lines(["child 0"])


LATE = """
import atexit
import threading

import shop


def track(when):
    print(when, shop.client.track_lead("Sign up", "user_42", "click_1")["success"])


def track_late():
    threading.main_thread().join()
    track("in a thread")


def test_it():
    atexit.register(track, "at exit")
    threading.Thread(target=track_late).start()
"""


def test_no_call_after_the_run_reaches_the_service(tmp_path: Path) -> None:
    """With `all`, the sandbox also gets calls of threads and `atexit` functions after the run."""
    output = run_pytest(tmp_path, files={"pytest.ini": INI, "test_late.py": LATE})
    output.fnmatch_lines(["*1 passed*", "in a thread True", "at exit True"])


UNUSED = """
import sys

import pytest


def test_fails():
    assert [1] == [2]


def test_modules():
    loaded = {name.partition(".")[0] for name in sys.modules}
    assert not loaded & {"cutmeshort", "fastapi", "pydantic", "uvicorn", "urllib3"}
"""


def test_a_run_that_does_not_use_the_plugin_imports_nothing(project: pytest.Pytester) -> None:
    """The plugin's hooks, including those for a failed test, import nothing of the SDK."""
    project.makepyfile(UNUSED)
    result = project.runpytest_subprocess()
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.no_fnmatch_line("*CutMeShort*")


def test_the_plugin_imports_nothing_that_pytest_has_not_imported() -> None:
    """After pytest itself, the import of the plugin loads no module but its own."""
    code = "import pytest, sys; before = set(sys.modules); import pytest_cutmeshort"
    printed = run_python("-c", f"{code}; print(*set(sys.modules) - before)", **ENVIRONMENT)
    assert printed.split() == ["pytest_cutmeshort"]


HOSTS = """
import pytest

from cutmeshort import CMSClient
from tests.support.network import allow_loopback_only

allow_loopback_only()


def call(host):
    with CMSClient("secret", host, enabled=True, max_retries=0) as client:
        assert client.track_lead("Sign up", "user_42", "click_1")["type"] == "network_error"


@pytest.fixture
def called():
    call("https://real.example")


@pytest.mark.parametrize("number", range(12))
def test_hosts(called, number):
    call("https://real.example")
    call(f"https://host-{number}.example")
    call("http://127.0.0.1:1")
"""


def test_the_summary_is_bounded(project: pytest.Pytester) -> None:
    """The summary has the ten hosts with the most calls, and three tests of each."""
    project.makepyfile(test_a=HOSTS)
    result = project.runpytest_subprocess("-q")
    tests = ", ".join(f"test_a.py::test_hosts[[]{number}]" for number in range(3))
    result.stdout.fnmatch_lines(
        [
            "Calls went to hosts other than the sandbox:",
            f"real.example: 24 in {tests} and 9 more",
            *["host-*.example: 1 in test_a.py::test_hosts[[]*]"] * 9,
            "and 3 more hosts",
        ],
        consecutive=True,
    )
    result.stdout.no_fnmatch_line("*127.0.0.1*")  # without the sandbox, a server of the test


def test_the_warnings_can_be_turned_off(project: pytest.Pytester) -> None:
    """`-p no:cutmeshort_other_hosts` turns the summary off."""
    project.makepyfile(test_a=HOSTS)
    result = project.runpytest_subprocess("-q", "-p", "no:cutmeshort_other_hosts")
    result.assert_outcomes(passed=12)
    result.stdout.no_fnmatch_line("*CutMeShort*")
