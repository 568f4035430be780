"""The fixtures of the plugin, in a project with `cms_sandbox = off`, the default."""

import re

import pytest

from .runs import run_pytest

CONFTEST = """
import pytest

@pytest.fixture(scope="session")
def cms_sandbox_options():
    return {"duplicate_status": 409}

@pytest.fixture
def anyio_backend():
    return "asyncio"
"""
TESTS = """
import asyncio
import os
import unittest

import pytest

from cutmeshort import ApiClient, CMSClient, TrackingApi

import shop

SEND, INIT = ApiClient._send, ApiClient.__init__
VARIABLES = ("CMS_HOST", "CMS_BEARER_TOKEN", "CMS_ENABLED")
BEFORE = {name: os.environ[name] for name in VARIABLES}
clients = []
sandboxes = []


def track(client=shop.client, **options):
    return client.track_lead("Sign up", "user_42", "click_1", **options)


def test_existing_client(cms_sandbox):
    assert track()["success"]
    assert cms_sandbox.assert_lead(click_id="click_1").customer_external_id == "user_42"
    cms_sandbox.fail_next(status=503)
    sandboxes.append(cms_sandbox)


def test_disabled_client(cms_sandbox):
    assert track(shop.client_of_environment)["success"]
    cms_sandbox.assert_lead()


def test_empty(cms_sandbox):
    assert cms_sandbox.requests == cms_sandbox.leads == []
    assert track()["success"]
    assert cms_sandbox in sandboxes  # one for the session


def test_new_client(cms_sandbox):
    with CMSClient() as client:
        assert track(client)["success"]
    (lead,) = cms_sandbox.leads


def test_new_client_with_a_token_of_its_own(cms_sandbox):
    with CMSClient("real-token") as client:
        assert track(client)["success"]
    (lead,) = cms_sandbox.leads


def test_environment(cms_sandbox):
    values = [cms_sandbox.url, cms_sandbox.token, "1"]
    assert [os.environ[name] for name in VARIABLES] == values


def test_undo(cms_sandbox, monkeypatch):
    monkeypatch.setenv("CMS_HOST", "https://third.example")
    monkeypatch.undo()
    assert os.environ["CMS_HOST"] == cms_sandbox.url


def test_restored():
    assert {name: os.environ[name] for name in VARIABLES} == BEFORE
    assert (ApiClient._send, ApiClient.__init__) == (SEND, INIT)
    assert "real.example could not be resolved" in track()["error"]
    assert track(shop.client_of_environment)["type"] == "disabled"


def test_client(cms_client, cms_sandbox):
    settings = cms_client.api_client.configuration
    assert (settings.host, settings.access_token) == (cms_sandbox.url, cms_sandbox.token)
    assert (settings.retries, settings.timeout) == (0, 5)
    assert track(cms_client)["success"]
    clients.append(cms_client)


def test_client_is_closed():
    assert track(clients[0])["type"] == "client_closed"


def test_options(cms_client):
    track(cms_client)
    assert track(cms_client)["type"] == "duplicate_event"


@pytest.mark.anyio
async def test_async(cms_sandbox):
    assert (await asyncio.to_thread(track))["success"]
    cms_sandbox.assert_lead()


class TestOfUnittest(unittest.TestCase):
    @pytest.fixture(autouse=True)
    def _use_sandbox(self, cms_sandbox):
        self.sandbox = cms_sandbox

    def test_method(self):
        self.assertTrue(track()["success"])
        self.sandbox.assert_lead()


def test_own_server(cms_sandbox):
    from cutmeshort.sandbox import Sandbox
    with Sandbox() as own, CMSClient(own.token, own.url) as client:
        assert track(client)["success"]
        assert len(own.leads) == 1
    assert cms_sandbox.leads == []
"""
NAMES = re.findall(r"def (test_\w+)", TESTS)


@pytest.fixture(scope="module")
def output(tmp_path_factory: pytest.TempPathFactory) -> pytest.LineMatcher:
    """The output of one run of all these tests."""
    files = {"conftest.py": CONFTEST, "test_shop.py": TESTS}
    folder = tmp_path_factory.mktemp("off")
    return run_pytest(folder, "-rA", files=files, plugins=",anyio.pytest_plugin")


@pytest.mark.parametrize("name", NAMES)
def test_the_fixtures_work(name: str, output: pytest.LineMatcher) -> None:
    """Each test of the project passes: its name says what the fixtures do."""
    assert any(re.fullmatch(rf"PASSED test_shop.py::.*\b{name}", line) for line in output.lines)


def test_a_passing_test_has_no_requests_in_its_report(output: pytest.LineMatcher) -> None:
    """The section with the requests is only in reports of failed tests."""
    output.no_fnmatch_line("*CutMeShort requests*")


def test_the_summary_names_the_hosts_that_were_called(output: pytest.LineMatcher) -> None:
    """Only calls to the real host are in the summary: not those to sandboxes of the process."""
    output.fnmatch_lines(
        [
            "*= CutMeShort =*",
            "Calls went to hosts other than the sandbox:",
            "real.example: 1 in test_shop.py::test_restored",
            "Use the fixture cms_sandbox in these tests, or set cms_sandbox = all *",
            "*=*",
        ],
        consecutive=True,
    )
    output.no_fnmatch_line("127.0.0.1*")
