"""Where settings come from, and which are refused."""

import copy
import dataclasses
import logging
from typing import Any

import pytest

from cutmeshort import ApiClient, ApiTypeError, ApiValueError, CMSClient, Configuration

from .conftest import TOKEN, lead
from .server import Server, reply


def test_settings_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Token, host, timeout and retries come from their variables."""
    with Server(reply(500)) as server:
        monkeypatch.setenv("CMS_BEARER_TOKEN", "from-environment")
        monkeypatch.setenv("CMS_HOST", server.url)
        monkeypatch.setenv("CMS_MAX_RETRIES", "0")
        monkeypatch.setenv("CMS_TIMEOUT", "7.5")
        with CMSClient() as client:
            assert lead(client)["status_code"] == 500
        (request,) = server.requests
        assert request.headers["authorization"] == ["Bearer from-environment"]
    assert Configuration().timeout == 7.5


def test_an_argument_goes_before_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """A variable isn't even read where there is an argument."""
    monkeypatch.setenv("CMS_BEARER_TOKEN", "from environment")
    monkeypatch.setenv("CMS_HOST", "nonsense")
    monkeypatch.setenv("CMS_MAX_RETRIES", "nonsense")
    monkeypatch.setenv("CMS_TIMEOUT", "nonsense")
    with Server(reply(500)) as server:
        with CMSClient(TOKEN, server.url, timeout=5, max_retries=0) as client:
            assert lead(client)["status_code"] == 500
        (request,) = server.requests
        assert request.headers["authorization"] == [f"Bearer {TOKEN}"]


def test_an_argument_goes_before_the_configuration() -> None:
    """What CMSClient is given goes before its configuration, which goes before the default."""
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
    """Without any setting, the documented defaults hold."""
    configuration = Configuration()
    assert configuration.host == "https://api.cme.sh"
    assert configuration.access_token is None
    assert configuration.timeout == 10
    assert configuration.request_timeout == (3, 5)
    assert configuration.retries == 3
    assert configuration.verify_ssl is True


@pytest.mark.parametrize("empty", [None, ""])
def test_no_token_anywhere_names_the_variable(empty: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a token, or with an empty variable, the error says which variable to set."""
    if empty is not None:
        monkeypatch.setenv("CMS_BEARER_TOKEN", empty)
    with pytest.raises(ApiValueError, match="CMS_BEARER_TOKEN"):
        CMSClient()


@pytest.mark.parametrize(
    "token", ["", " ", "a b", "a\n", "a\tb", "a\x00", "a\x7f", "ä", "\ud800", b"bytes", 7, True, []]
)
def test_a_token_that_can_not_be_one_is_refused(token: Any) -> None:
    """A token is visible ASCII; the message names the variable and doesn't show the token."""
    with pytest.raises(ApiValueError, match="CMS_BEARER_TOKEN") as caught:
        CMSClient(token)
    if isinstance(token, str) and len(token) > 1:
        assert token not in str(caught.value)


@pytest.mark.parametrize(
    ("host", "says"),
    [
        ("", "visible ASCII"),
        ("api.cme.sh", "visible ASCII"),
        ("ftp://api.cme.sh", "visible ASCII"),
        ("https://", "visible ASCII"),
        ("https://:8443", "visible ASCII"),
        ("https://user@api.cme.sh", "without user name"),
        ("https://user:secret@api.cme.sh", "without user name"),
        ("https://api.cme.sh?x=1", "without user name"),
        ("https://api.cme.sh?", "without user name"),
        ("https://api.cme.sh/#top", "without user name"),
        ("https://api.cme.sh#", "without user name"),
        ("https://api.cme.sh:port", "visible ASCII"),
        ("https://api.cme.sh:8_0", "visible ASCII"),
        ("https://api.cme.sh:0", "visible ASCII"),
        ("https://api.cme.sh:70000", "visible ASCII"),
        ("https://[::1", "visible ASCII"),
        ("https://a..b", "visible ASCII"),
        ("https://" + "a" * 64 + ".sh", "visible ASCII"),
        ("https://api.cme.sh ", "visible ASCII"),
        ("https://api.cme.sh\n", "visible ASCII"),
        ("https://api.cme.sh\\@evil.example", "visible ASCII"),
        ("https://äpi.cme.sh", "visible ASCII"),
        (b"https://api.cme.sh", "visible ASCII"),
        (7, "visible ASCII"),
        ("http://api.cme.sh", "allow_insecure_http"),
        ("http://localhost.example", "allow_insecure_http"),
        ("http://10.0.0.1", "allow_insecure_http"),
        ("http://0.0.0.0", "allow_insecure_http"),
    ],
)
def test_a_host_that_can_not_be_one_is_refused(host: Any, says: str) -> None:
    """A host is an https URL without user, query and fragment; the message says what to write."""
    with pytest.raises(ApiValueError, match="CMS_HOST") as caught:
        CMSClient(TOKEN, host)
    assert says in str(caught.value)
    assert "secret" not in str(caught.value)
    assert caught.value.argument == "host"


@pytest.mark.parametrize(
    ("host", "kept"),
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
def test_a_good_host_is_taken(host: str, kept: str) -> None:
    """Any https URL will do, and http to loopback."""
    with CMSClient(TOKEN, host) as client:
        assert repr(client) == f"CMSClient(host={kept!r})"


def test_plain_http_can_be_permitted() -> None:
    """`allow_insecure_http` takes http to any host."""
    configuration = Configuration("http://gw.example", TOKEN, allow_insecure_http=True)
    assert configuration.host == "http://gw.example"


@pytest.mark.parametrize("value", ["", 0, -1, 86_401, float("nan"), float("inf"), True, "5", None])
def test_a_time_that_can_not_be_one_is_refused(value: Any) -> None:
    """Times are seconds above 0, at most a day."""
    with pytest.raises(ApiValueError, match="timeout must be"):
        Configuration(timeout=value)
    with pytest.raises(ApiValueError, match="request_timeout must be"):
        Configuration(request_timeout=value)
    with pytest.raises(ApiValueError, match="request_timeout must be"):
        Configuration(request_timeout=(1, value))


@pytest.mark.parametrize("value", [(1,), (1, 2, 3), [1, 2]])
def test_a_pair_of_times_is_a_pair(value: Any) -> None:
    """`request_timeout` is a number or a (connect, read) tuple."""
    with pytest.raises(ApiValueError, match="request_timeout must be"):
        Configuration(request_timeout=value)


@pytest.mark.parametrize("value", [-1, 1.0, True, "3", None, float("nan")])
def test_retries_that_can_not_be_are_refused(value: Any) -> None:
    """Retries are a whole number, 0 or more."""
    with pytest.raises(ApiValueError, match="max_retries\\) must be"):
        Configuration(retries=value)


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("CMS_TIMEOUT", "ten"),
        ("CMS_TIMEOUT", "0"),
        ("CMS_TIMEOUT", "nan"),
        ("CMS_TIMEOUT", "inf"),
        ("CMS_TIMEOUT", "-1"),
        ("CMS_MAX_RETRIES", "1.5"),
        ("CMS_MAX_RETRIES", "-1"),
        ("CMS_MAX_RETRIES", "many"),
        ("CMS_BEARER_TOKEN", "a b"),
        ("CMS_HOST", "nowhere"),
    ],
)
def test_an_unreadable_variable_is_named(
    variable: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A variable with a value that can't be used is named, and its value isn't shown."""
    monkeypatch.setenv("CMS_BEARER_TOKEN", TOKEN)
    monkeypatch.setenv(variable, value)
    with pytest.raises(ApiValueError, match=variable):
        CMSClient()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("verify_ssl", "no"),
        ("allow_insecure_http", 1),
        ("ssl_ca_cert", 7),
        ("cert_file", b"x"),
        ("key_file", 7),
        ("ca_cert_data", 7),
        ("assert_hostname", True),
        ("ssl_ca_cert", ""),
        ("key_file", "key.pem"),
        ("ca_cert_data", ""),
        ("assert_hostname", ""),
        ("tls_server_name", 7),
        ("tls_server_name", ""),
        ("tls_server_name", ".example"),
        ("tls_server_name", "a" * 64),
        ("tls_server_name", "a\0"),
        ("proxy", "proxy.example:3128"),
        ("proxy", "socks5://proxy.example"),
        ("proxy", "http://"),
        ("proxy", "http://h:+80"),
        ("proxy", 7),
        ("proxy_headers", ["X"]),
        ("proxy_headers", {"X Y": "z"}),
        ("proxy_headers", {"X": "a\nb"}),
        ("proxy_headers", {7: "x"}),
        ("connection_pool_maxsize", 0),
        ("connection_pool_maxsize", "many"),
        ("socket_options", 7),
        ("socket_options", [(1, 2)]),
        ("socket_options", [(1, 2, "x")]),
        ("socket_options", [("1", 2, 3)]),
        ("socket_options", [(1, 2, 2**31)]),
    ],
)
def test_a_setting_of_a_wrong_kind_is_refused(name: str, value: Any) -> None:
    """Every setting is checked when the configuration is made, and named."""
    with pytest.raises(ApiValueError, match=name):
        Configuration(**{name: value})


def test_a_configuration_can_not_be_changed() -> None:
    """Fields, headers and options of a configuration are fixed; `replace` makes a changed one."""
    headers = {"X": "1"}
    options = [(1, 2, 3)]
    configuration = Configuration(proxy_headers=headers, socket_options=options)
    headers["X"] = "2"
    options.append((4, 5, 6))
    assert configuration.proxy_headers == {"X": "1"}
    assert configuration.socket_options == ((1, 2, 3),)
    with pytest.raises(dataclasses.FrozenInstanceError):
        configuration.timeout = 5  # type: ignore[misc]
    with pytest.raises(TypeError):
        configuration.proxy_headers["X"] = "2"  # type: ignore[index]
    changed = dataclasses.replace(configuration, timeout=5)
    assert (changed.timeout, changed.proxy_headers) == (5, {"X": "1"})


def test_a_configuration_is_safe_to_print_and_copy() -> None:
    """No secret is in the `repr`; a copy is equal, and leaves log levels alone."""
    configuration = Configuration(
        access_token=TOKEN,
        proxy="http://user:secret@proxy.example:3128",
        proxy_headers={"X-Key": "secret"},
        ca_cert_data="secret",
    )
    assert TOKEN not in repr(configuration)
    assert "secret" not in repr(configuration)
    level = logging.getLogger("urllib3").level
    plain = Configuration(access_token=TOKEN)
    assert copy.deepcopy(plain) == plain
    assert copy.deepcopy(configuration) == configuration
    assert hash(copy.copy(plain)) == hash(plain)
    assert logging.getLogger("urllib3").level == level


@pytest.mark.parametrize("make", [CMSClient, ApiClient])
def test_a_configuration_of_another_kind_is_refused(make: Any) -> None:
    """`configuration` must be a Configuration."""
    with pytest.raises(ApiTypeError, match="configuration must be"):
        make(configuration={"host": "https://api.cme.sh"})


@pytest.mark.parametrize("name", ["ssl_ca_cert", "cert_file", "ca_cert_data"])
@pytest.mark.parametrize("value", ["none.pem", "näh.pem"])
def test_a_certificate_that_can_not_be_read_is_refused(name: str, value: str) -> None:
    """Certificates are read when the client is made."""
    with pytest.raises(ApiValueError, match=name):
        CMSClient(TOKEN, configuration=Configuration(**{name: value}))
