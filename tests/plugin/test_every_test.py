"""`cms_sandbox = all`: the sandbox in every test, and before any conftest is imported."""

import re
from pathlib import Path

import pytest

from .runs import failure, run_pytest

INI = "[pytest]\ncms_sandbox = all\n"
CONFTEST = """
import os

import pytest

import shop

HOST, TOKEN = os.environ["CMS_HOST"], os.environ["CMS_BEARER_TOKEN"]
assert HOST.startswith("http://127.0.0.1:")
assert shop.client_of_environment.api_client.configuration.host == HOST
for client in (shop.client, shop.client_of_environment):
    assert client.track_lead("Sign up", "user_42", "click_1")["success"]


@pytest.fixture(scope="module")
def signed_up():
    assert shop.client.track_lead("Sign up", "user_42", "click_1")["success"]
"""
TESTS = """
import os
import unittest
from pathlib import Path

import pytest

from cutmeshort import CMSClient

import shop


def track(client=shop.client):
    return client.track_lead("Sign up", "user_42", "click_1")


@pytest.mark.parametrize("number", range(6))
def test_each_is_empty(number):
    for client in (shop.client_of_environment, shop.client):
        result = track(client)
        assert result["success"]
    assert result["data"]["duplicate"] is True  # of this test only
    worker = os.environ.get("PYTEST_XDIST_WORKER", "main")
    Path(f"{worker}-{os.getpid()}-{os.environ['CMS_HOST'].rpartition(':')[2]}.txt").touch()


def test_new_client():
    with CMSClient("secret", "https://real.example") as client, CMSClient() as default:
        assert track(client)["data"] == {"clickId": "click_1"}
        assert track(default)["data"]["duplicate"]


class TestOfUnittest(unittest.TestCase):
    def test_method(self):
        self.assertEqual(track()["data"], {"clickId": "click_1"})


def test_outage(cms_sandbox):
    cms_sandbox.fail_next(times=100, status=503)
    assert track()["type"] == "service_unavailable"


def test_broader_fixture(signed_up, cms_sandbox):
    assert cms_sandbox.leads == []  # the fixture of the module was set up before the test
    assert track()["data"] == {"clickId": "click_1"}


def test_that_fails():
    track()
    assert False


def test_other_server():
    with CMSClient("secret", "http://127.0.0.1:1", max_retries=0) as client:
        assert track(client)["type"] == "network_error"
"""
PASSING = re.findall(r"def (test_\w+)", TESTS.replace("test_that_fails", ""))
OPTIONS = """
@pytest.fixture(scope="session")
def cms_sandbox_options():
    return {"token": "another-token"}


@pytest.fixture(autouse=True)
def options_are_used(cms_sandbox):
    assert os.environ["CMS_BEARER_TOKEN"] == cms_sandbox.token == "another-token"
    assert os.environ["CMS_HOST"] == cms_sandbox.url != HOST
"""
RUNS = {
    "one process": ((), CONFTEST),
    "xdist": (("-n", "2"), CONFTEST),
    "options": ((), CONFTEST + OPTIONS),
}


@pytest.fixture(scope="module", params=RUNS)
def folder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The project, after a run whose output is in `output.txt`."""
    folder = tmp_path_factory.mktemp("all")
    arguments, conftest = RUNS[request.param]
    files = {"pytest.ini": INI, "conftest.py": conftest, "test_shop.py": TESTS}
    plugins = ""
    if arguments:
        pytest.importorskip("xdist")
        plugins = ",xdist.plugin"
    output = run_pytest(folder, "-rA", *arguments, files=files, plugins=plugins)
    (folder / "output").write_text("\n".join(output.lines))
    return folder


@pytest.fixture
def output(folder: Path) -> pytest.LineMatcher:
    """The output of the run."""
    return pytest.LineMatcher((folder / "output").read_text().splitlines())


@pytest.mark.parametrize("name", PASSING)
def test_every_test_uses_an_empty_sandbox(name: str, output: pytest.LineMatcher) -> None:
    """No test, with or without the fixture, and no conftest can reach the real service."""
    assert any(re.fullmatch(rf"PASSED test_shop.py::.*\b{name}\b.*", line) for line in output.lines)


def test_each_process_has_one_sandbox(folder: Path) -> None:
    """All tests of a process, which may be an xdist worker, use the same server."""
    found = [path.stem.split("-") for path in folder.glob("*-*.txt")]
    assert len({process for _, process, _ in found}) == len(found)
    assert len({port for *_, port in found}) == len(found)
    workers = {worker for worker, *_ in found}
    assert workers in ({"main"}, {"gw0", "gw1"})


def test_a_failed_test_shows_its_requests_in_every_process(output: pytest.LineMatcher) -> None:
    """The report of a test that does not name the fixture has its requests, even with xdist."""
    assert failure(output, "test_that_fails")[-1] == "track_lead 200 ok: Lead tracked successfully"


def test_the_summary_names_the_servers_on_loopback(output: pytest.LineMatcher) -> None:
    """The only other hosts that a test can call are its own servers."""
    number = output.lines.index("Calls went to hosts other than the sandbox:")
    assert output.lines[number + 1] == "127.0.0.1:1: 1 in test_shop.py::test_other_server"
    assert output.lines[number + 2].startswith("==")
