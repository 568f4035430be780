"""Where settings come from: arguments, configuration, environment, defaults."""

from typing import Any

import pytest

from cutmeshort import (
    ApiClient,
    ApiException,
    ApiValueError,
    CMSClient,
    Configuration,
    TrackingApi,
)
from cutmeshort.operations import Operation

from ..support.events import TOKEN, lead
from ..support.operations import each_operation, minimal, track
from ..support.server import Server, respond


def test_settings_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """The client takes token, host, timeout and retries from their environment variables."""
    with Server(respond(500)) as server:
        monkeypatch.setenv("CMS_BEARER_TOKEN", "from-environment")
        monkeypatch.setenv("CMS_HOST", server.url)
        monkeypatch.setenv("CMS_MAX_RETRIES", "0")
        monkeypatch.setenv("CMS_TIMEOUT", "7.5")
        with CMSClient() as client:
            assert lead(client)["status_code"] == 500
        (request,) = server.requests
        assert request.headers["authorization"] == ["Bearer from-environment"]
    assert Configuration().timeout == 7.5


def test_an_argument_takes_precedence_over_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """The client does not read an environment variable if its argument is given."""
    monkeypatch.setenv("CMS_BEARER_TOKEN", "from environment")
    monkeypatch.setenv("CMS_HOST", "nonsense")
    monkeypatch.setenv("CMS_MAX_RETRIES", "nonsense")
    monkeypatch.setenv("CMS_TIMEOUT", "nonsense")
    with Server(respond(500)) as server:
        with CMSClient(TOKEN, server.url, timeout=5, max_retries=0) as client:
            assert lead(client)["status_code"] == 500
        (request,) = server.requests
        assert request.headers["authorization"] == [f"Bearer {TOKEN}"]


def test_an_argument_takes_precedence_over_the_configuration() -> None:
    """Arguments take precedence over the configuration, and that over the default configuration."""
    configuration = Configuration("https://a.example", "a", timeout=5, retries=2)
    Configuration.set_default(Configuration("https://b.example", "b"))
    with CMSClient(configuration=configuration) as client:
        assert repr(client) == "CMSClient(host='https://a.example')"
    with CMSClient("c", "https://c.example", configuration=configuration) as client:
        assert repr(client) == "CMSClient(host='https://c.example')"
    with CMSClient() as client:
        assert repr(client) == "CMSClient(host='https://b.example')"
    with CMSClient(host="https://d.example") as client:
        assert repr(client) == "CMSClient(host='https://d.example')"


def test_the_defaults_are_the_documented_ones() -> None:
    """A configuration without any setting has the documented defaults."""
    configuration = Configuration()
    assert configuration.host == "https://api.cme.sh"
    assert configuration.access_token is None
    assert configuration.timeout == 10
    assert configuration.request_timeout == (3, 5)
    assert configuration.retries == 3
    assert configuration.verify_ssl is True


@pytest.mark.parametrize(
    ("host", "normalised"),
    [
        ("https://gw.example/cms/", "https://gw.example/cms"),
        ("https://gw.example:8443", "https://gw.example:8443"),
        ("https://api.cme.sh.", "https://api.cme.sh."),
        ("HTTPS://API.CME.SH/V1", "https://api.cme.sh/V1"),
        ("http://localhost:8787/", "http://localhost:8787"),
        ("http://LOCALHOST", "http://localhost"),
        ("http://127.8.9.1", "http://127.8.9.1"),
        ("http://[::1]:80", "http://[::1]:80"),
    ],
)
def test_a_valid_host_is_used(host: str, normalised: str) -> None:
    """A host can be any https URL, or an http URL of a loopback address."""
    with CMSClient(TOKEN, host) as client:
        assert repr(client) == f"CMSClient(host={normalised!r})"


def test_plain_http_can_be_permitted() -> None:
    """With `allow_insecure_http`, a host can be any http URL."""
    configuration = Configuration("http://gw.example", TOKEN, allow_insecure_http=True)
    assert configuration.host == "http://gw.example"


@each_operation
@pytest.mark.parametrize("value", ["0", "false", "No", "OFF"])
def test_a_client_can_be_disabled_by_the_environment(
    operation: Operation, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With `CMS_ENABLED=0`, a client needs no token, validates events, and sends nothing."""
    with Server() as server:
        monkeypatch.setenv("CMS_ENABLED", value)
        monkeypatch.setenv("CMS_HOST", server.url)
        with CMSClient() as client:
            assert track(client, operation) == {
                "success": False,
                "error": "Nothing was sent: the client is disabled "
                "(enabled=False or CMS_ENABLED=0).",
                "status_code": 0,
                "type": "disabled",
                "retryable": False,
                "attempts": 0,
            }
            assert track(client, operation, event_name=1.5)["type"] == "validation_error"
            assert track(client, operation, timeout=0)["type"] == "validation_error"
        with ApiClient() as api_client, pytest.raises(ApiException) as caught:
            getattr(TrackingApi(api_client), operation.name)(minimal(operation))
        assert caught.value.type == "disabled"
        with CMSClient(TOKEN, enabled=True) as client:
            assert track(client, operation)["success"] is True
        assert server.connections == 1


@pytest.mark.parametrize("value", [None, "", "1", "true", "Yes", "ON"])
def test_a_client_is_enabled_by_default(value: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without CMS_ENABLED, or with a value that means yes, a client sends events."""
    if value is not None:
        monkeypatch.setenv("CMS_ENABLED", value)
    with Server() as server:
        with CMSClient(TOKEN, server.url) as client:
            assert lead(client)["success"] is True
        with CMSClient(TOKEN, server.url, enabled=False) as client:
            assert lead(client)["type"] == "disabled"
        assert len(server.requests) == 1


def test_a_disabled_client_reads_no_certificates() -> None:
    """A disabled client needs neither token nor certificates, but rejects invalid settings."""
    configuration = Configuration(ssl_ca_cert="none.pem", verify_ssl=False, enabled=False)
    with CMSClient(configuration=configuration) as client:
        assert lead(client)["type"] == "disabled"
    with pytest.raises(ApiValueError, match="CMS_HOST"):
        CMSClient(host="nowhere", enabled=False)
    with pytest.raises(ApiValueError, match="enabled must be True or False"):
        CMSClient(TOKEN, enabled="no")  # type: ignore[arg-type]
