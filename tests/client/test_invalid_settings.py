"""Invalid settings, which the client or the configuration rejects by name."""

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
def test_the_error_for_a_missing_token_names_the_variable(
    empty: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a token, or with an empty variable, the error says which variable to set."""
    if empty is not None:
        monkeypatch.setenv("CMS_BEARER_TOKEN", empty)
    with pytest.raises(ApiValueError, match="CMS_BEARER_TOKEN"):
        CMSClient()


@pytest.mark.parametrize(
    "token", ["", " ", "a b", "a\n", "a\tb", "a\x00", "a\x7f", "ä", "\ud800", b"bytes", 7, True, []]
)
def test_an_invalid_token_is_rejected(token: Any) -> None:
    """A token must be visible ASCII; the error names the variable and does not show the token."""
    with pytest.raises(ApiValueError, match="CMS_BEARER_TOKEN") as caught:
        CMSClient(token)
    if isinstance(token, str) and len(token) > 1:
        assert token not in str(caught.value)


@pytest.mark.parametrize(
    ("host", "message"),
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
def test_an_invalid_host_is_rejected(host: Any, message: str) -> None:
    """A host must be an https URL without user, query and fragment, and the error says so."""
    with pytest.raises(ApiValueError, match="CMS_HOST") as caught:
        CMSClient(TOKEN, host)
    assert message in str(caught.value)
    assert "secret" not in str(caught.value)
    assert caught.value.argument == "host"


@pytest.mark.parametrize("value", ["", 0, -1, 86_401, float("nan"), float("inf"), True, "5"])
def test_an_invalid_timeout_is_rejected(value: Any) -> None:
    """A timeout must be more than 0 seconds, and at most a day."""
    with pytest.raises(ApiValueError, match="timeout must be"):
        Configuration(timeout=value)
    with pytest.raises(ApiValueError, match="request_timeout must be"):
        Configuration(request_timeout=value)
    with pytest.raises(ApiValueError, match="request_timeout must be"):
        Configuration(request_timeout=(1, value))


@pytest.mark.parametrize("value", [(1,), (1, 2, 3), [1], (1, None), {1, 2}])
def test_a_request_timeout_must_be_a_number_or_a_pair(value: Any) -> None:
    """`request_timeout` must be a number or a (connect, read) pair."""
    with pytest.raises(ApiValueError, match="request_timeout must be"):
        Configuration(request_timeout=value)
    assert Configuration(request_timeout=[1, 2]).request_timeout == (1, 2)  # type: ignore[arg-type]


@pytest.mark.parametrize("value", [-1, 1.0, True, "3", float("nan")])
def test_an_invalid_number_of_retries_is_rejected(value: Any) -> None:
    """The number of retries must be an integer of 0 or more."""
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
def test_an_invalid_variable_is_named(
    variable: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The error for an invalid environment variable names it and does not show its value."""
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
def test_an_invalid_setting_is_rejected(name: str, value: Any) -> None:
    """A configuration checks each setting when it is created, and its error names the setting."""
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


def test_the_error_for_unusable_tls_says_why(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """If TLS itself can't be used, the error has the system's message."""
    monkeypatch.setenv("SSLKEYLOGFILE", str(tmp_path / "missing" / "keys"))
    with pytest.raises(ApiValueError, match="TLS can't be used: "):
        CMSClient(TOKEN)


@pytest.mark.parametrize("name", ["ssl_ca_cert", "cert_file", "ca_cert_data"])
@pytest.mark.parametrize("value", ["none.pem", "näh.pem"])
def test_an_unreadable_certificate_is_rejected(name: str, value: str) -> None:
    """A client reads certificates when it is created, and its error names an unreadable file."""
    with pytest.raises(ApiValueError, match=name) as caught:
        CMSClient(TOKEN, configuration=Configuration(**{name: value}))
    assert (value in str(caught.value)) is (name != "ca_cert_data")
    assert caught.value.argument == name
