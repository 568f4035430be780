"""Settings that can't be used are refused when they are set, and named."""

from pathlib import Path
from typing import Any

import pytest

from cutmeshort import (
    ApiValueError,
    CMSClient,
    Configuration,
)

from ..support.events import TOKEN


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
def test_a_token_that_can_not_be_right_is_refused(token: Any) -> None:
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
        ("https://user@api.cme.sh", "without a user name"),
        ("https://user:secret@api.cme.sh", "without a user name"),
        ("https://api.cme.sh?x=1", "without a user name"),
        ("https://api.cme.sh?", "without a user name"),
        ("https://api.cme.sh/#top", "without a user name"),
        ("https://api.cme.sh#", "without a user name"),
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
def test_a_host_that_can_not_be_right_is_refused(host: Any, says: str) -> None:
    """A host is an https URL without user, query and fragment; the message says what to write."""
    with pytest.raises(ApiValueError, match="CMS_HOST") as caught:
        CMSClient(TOKEN, host)
    assert says in str(caught.value)
    assert "secret" not in str(caught.value)
    assert caught.value.argument == "host"


@pytest.mark.parametrize("value", ["", 0, -1, 86_401, float("nan"), float("inf"), True, "5"])
def test_a_time_that_can_not_be_right_is_refused(value: Any) -> None:
    """Times are seconds above 0, at most a day."""
    with pytest.raises(ApiValueError, match="timeout must be"):
        Configuration(timeout=value)
    with pytest.raises(ApiValueError, match="request_timeout must be"):
        Configuration(request_timeout=value)
    with pytest.raises(ApiValueError, match="request_timeout must be"):
        Configuration(request_timeout=(1, value))


@pytest.mark.parametrize("value", [(1,), (1, 2, 3), [1], (1, None), {1, 2}])
def test_a_pair_of_times_is_a_pair(value: Any) -> None:
    """`request_timeout` is a number or a (connect, read) pair."""
    with pytest.raises(ApiValueError, match="request_timeout must be"):
        Configuration(request_timeout=value)
    assert Configuration(request_timeout=[1, 2]).request_timeout == (1, 2)  # type: ignore[arg-type]


@pytest.mark.parametrize("value", [-1, 1.0, True, "3", float("nan")])
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
        ("CMS_ENABLED", "maybe"),
        ("CMS_ENABLED", "2"),
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
        ("enabled", 1),
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
def test_a_setting_of_a_wrong_type_is_refused(name: str, value: Any) -> None:
    """Every setting is checked when the configuration is made, and named."""
    with pytest.raises(ApiValueError, match=name):
        Configuration(**{name: value})


@pytest.mark.parametrize(
    ("variable", "settings", "argument"),
    [
        (None, {"host": "nowhere"}, "host"),
        (None, {"access_token": "a b"}, "access_token"),
        (None, {"retries": -1}, "retries"),
        (None, {"proxy": "nowhere"}, "proxy"),
        ("CMS_HOST", {}, "host"),
        ("CMS_BEARER_TOKEN", {}, "access_token"),
        ("CMS_TIMEOUT", {}, "timeout"),
        ("CMS_MAX_RETRIES", {}, "retries"),
        ("CMS_ENABLED", {}, "enabled"),
    ],
)
def test_the_argument_of_the_error_is_the_settings_name(
    variable: Any, settings: Any, argument: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`ApiValueError.argument` is the setting's name, also if its variable is not valid."""
    if variable is not None:
        monkeypatch.setenv(variable, "not valid")
    with pytest.raises(ApiValueError) as caught:
        Configuration(**settings)
    assert caught.value.argument == argument


def test_tls_that_can_not_be_used_says_why(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Where TLS itself fails, the message is the system's."""
    monkeypatch.setenv("SSLKEYLOGFILE", str(tmp_path / "missing" / "keys"))
    with pytest.raises(ApiValueError, match="TLS can't be used: "):
        CMSClient(TOKEN)


@pytest.mark.parametrize("name", ["ssl_ca_cert", "cert_file", "ca_cert_data"])
@pytest.mark.parametrize("value", ["none.pem", "näh.pem"])
def test_a_certificate_that_can_not_be_read_is_refused(name: str, value: str) -> None:
    """Certificates are read when the client is made; the message names the file."""
    with pytest.raises(ApiValueError, match=name) as caught:
        CMSClient(TOKEN, configuration=Configuration(**{name: value}))
    assert (value in str(caught.value)) is (name != "ca_cert_data")
    assert caught.value.argument == name
