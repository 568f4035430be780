"""Where settings come from, and which are refused."""

import copy
import dataclasses
import logging
import pickle
from pathlib import Path
from typing import Any

import pytest

from cutmeshort import (
    ApiAttributeError,
    ApiClient,
    ApiException,
    ApiTypeError,
    ApiValueError,
    CMSClient,
    Configuration,
    TrackingApi,
)

from ..support.events import PAYLOAD, TOKEN, lead, sale
from ..support.server import Server, reply


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


@pytest.mark.parametrize("value", ["", 0, -1, 86_401, float("nan"), float("inf"), True, "5"])
def test_a_time_that_can_not_be_one_is_refused(value: Any) -> None:
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


def test_none_means_not_given(monkeypatch: pytest.MonkeyPatch) -> None:
    """A setting that is None has its default, from its variable where there is one."""
    names = [field.name for field in dataclasses.fields(Configuration)]
    assert Configuration(**dict.fromkeys(names)) == Configuration()  # type: ignore[arg-type]
    monkeypatch.setenv("CMS_HOST", "https://gw.example")
    configuration = Configuration(host=None)  # type: ignore[arg-type]
    assert configuration.host == "https://gw.example"
    configuration.host = "https://other.example"
    configuration.host = None  # type: ignore[assignment]
    assert configuration.host == "https://gw.example"


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
def test_a_setting_of_a_wrong_kind_is_refused(name: str, value: Any) -> None:
    """Every setting is checked when the configuration is made, and named."""
    with pytest.raises(ApiValueError, match=name):
        Configuration(**{name: value})


@pytest.mark.parametrize("make", [CMSClient, ApiClient])
def test_a_setting_can_be_assigned_until_a_client_is_made(make: Any) -> None:
    """A client has the settings that were assigned before; after that, an assignment is refused."""
    with Server(reply(500)) as server:
        configuration = Configuration(access_token=TOKEN)
        configuration.host = server.url + "/cms/"
        configuration.retries = 0
        configuration.request_timeout = 2
        configuration.proxy_headers = {"X": "1"}
        assert configuration.host == server.url + "/cms"
        assert configuration.request_timeout == (2.0, 2.0)
        with make(configuration=configuration) as client:
            configuration_of = getattr(client, "api_client", client).configuration
            assert configuration_of == configuration
            with pytest.raises(ApiAttributeError, match="made from this configuration"):
                configuration.timeout = 5
            with pytest.raises(ApiAttributeError, match="made from this configuration"):
                configuration_of.timeout = 5
        changed = dataclasses.replace(configuration, timeout=5)
        changed.timeout = 6
        with CMSClient(configuration=changed) as client:
            assert lead(client)["attempts"] == 1
        assert server.requests[0].target == "/cms/track/lead"
    assert configuration.timeout == 10


def test_a_setting_is_checked_when_it_is_assigned() -> None:
    """A wrong value is refused and changes nothing; so is a setting that doesn't exist."""
    configuration = Configuration(access_token=TOKEN, allow_insecure_http=True)
    for name, value in (
        ("host", "nowhere"),
        ("access_token", "a b"),
        ("timeout", 0),
        ("retries", -1),
        ("verify_ssl", 0),
        ("proxy", "proxy.example"),
        ("enabled", "no"),
    ):
        before = getattr(configuration, name)
        with pytest.raises(ApiValueError, match="must be"):
            setattr(configuration, name, value)
        assert getattr(configuration, name) == before
    with pytest.raises(ApiAttributeError, match="no setting verfy_ssl"):
        configuration.verfy_ssl = False  # type: ignore[attr-defined]
    with pytest.raises(ApiAttributeError, match="can't be deleted"):
        del configuration.proxy
    configuration.host = "http://gw.example"
    with pytest.raises(ApiValueError, match="https://"):
        configuration.allow_insecure_http = False
    configuration.host = "https://gw.example"
    configuration.allow_insecure_http = False
    with pytest.raises(ApiValueError, match="allow_insecure_http"):
        configuration.host = "http://gw.example"
    configuration.proxy = None


def test_a_setting_can_be_assigned_after_a_client_could_not_be_made() -> None:
    """What was refused can be corrected; a key and its certificate can come in either order."""
    configuration = Configuration(access_token=TOKEN)
    configuration.key_file = "key.pem"
    for make in (CMSClient, ApiClient):
        with pytest.raises(ApiValueError, match="key_file must be given with cert_file"):
            make(configuration=configuration)
    configuration.cert_file = "cert.pem"
    for make in (CMSClient, ApiClient):
        with pytest.raises(ApiValueError, match=r"cert_file can't be read: 'cert\.pem'"):
            make(configuration=configuration)
    configuration.key_file = configuration.cert_file = None
    configuration.access_token = None
    with pytest.raises(ApiValueError, match="there is no token"):
        CMSClient(configuration=configuration)
    configuration.access_token = TOKEN


@pytest.mark.parametrize("made", [True, False])
def test_a_default_can_be_assigned_for_clients_to_come(made: bool) -> None:
    """A client uses a copy of the default, which can still be assigned."""
    if made:
        Configuration.set_default(Configuration("https://a.example", TOKEN))
    default = Configuration.get_default()
    assert default is Configuration.get_default()
    default.host, default.access_token = "https://a.example", TOKEN
    with CMSClient() as first:
        default.host = "https://b.example"
        with CMSClient() as second:
            assert repr(first) == "CMSClient(host='https://a.example')"
            assert repr(second) == "CMSClient(host='https://b.example')"


def test_a_default_is_a_configuration() -> None:
    """Another default is refused when it is set."""
    with pytest.raises(ApiTypeError, match="default must be a Configuration"):
        Configuration.set_default("https://a.example")  # type: ignore[arg-type]


def test_a_path_may_be_a_path() -> None:
    """Files can be given as text and as `pathlib.Path`."""
    configuration = Configuration(ssl_ca_cert=Path("ca.pem"), cert_file=Path("a"), key_file="b")
    assert (configuration.ssl_ca_cert, configuration.cert_file) == ("ca.pem", "a")


def test_a_pickle_has_no_token_and_no_password(monkeypatch: pytest.MonkeyPatch) -> None:
    """Settings survive pickling without secrets; the token comes from the environment."""
    configuration = Configuration(
        "https://gw.example",
        TOKEN,
        timeout=5,
        proxy="http://user:secret@proxy.example:3128",
        proxy_headers={"X-Key": "secret"},
        socket_options=[(1, 2, 3)],
    )
    data = pickle.dumps(configuration)
    assert TOKEN.encode() not in data
    assert b"secret" not in data
    assert b"user" not in data
    loaded = pickle.loads(data)
    public = {"access_token": None, "proxy": "http://proxy.example:3128", "proxy_headers": None}
    assert loaded == dataclasses.replace(configuration, **public)
    loaded.timeout = 6
    monkeypatch.setenv("CMS_BEARER_TOKEN", "mine")
    assert pickle.loads(data).access_token == "mine"
    assert pickle.loads(pickle.dumps(Configuration())).proxy is None


def test_what_a_configuration_was_given_can_not_change_it() -> None:
    """A configuration has copies of headers and options, which can't be changed."""
    headers = {"X": "1"}
    options = [(1, 2, 3)]
    configuration = Configuration(proxy_headers=headers, socket_options=options)
    headers["X"] = "2"
    options.append((4, 5, 6))
    assert configuration.proxy_headers == {"X": "1"}
    assert configuration.socket_options == ((1, 2, 3),)
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
    for copied in (copy.copy(configuration), copy.deepcopy(configuration)):
        copied.timeout = 3
        assert copied != configuration
    assert logging.getLogger("urllib3").level == level


@pytest.mark.parametrize("make", [CMSClient, ApiClient])
def test_a_configuration_of_another_kind_is_refused(make: Any) -> None:
    """`configuration` must be a Configuration."""
    with pytest.raises(ApiTypeError, match="configuration must be"):
        make(configuration={"host": "https://api.cme.sh"})


def test_tls_that_can_not_be_used_says_why(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Where no certificate was given, the message is the system's."""
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


@pytest.mark.parametrize("value", ["0", "false", "No", "OFF"])
def test_a_client_can_be_disabled_by_the_environment(
    value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`CMS_ENABLED=0` makes a client that needs no token, validates, and sends nothing."""
    with Server() as server:
        monkeypatch.setenv("CMS_ENABLED", value)
        monkeypatch.setenv("CMS_HOST", server.url)
        with CMSClient() as client:
            assert lead(client) == {
                "success": False,
                "error": "Nothing was sent: the client is disabled (enabled=False or CMS_ENABLED).",
                "status_code": 0,
                "type": "disabled",
                "retryable": False,
                "attempts": 0,
            }
            assert sale(client, amount=1.5)["type"] == "validation_error"
            assert lead(client, timeout=0)["type"] == "validation_error"
        with ApiClient() as api_client, pytest.raises(ApiException) as caught:
            TrackingApi(api_client).track_lead(PAYLOAD)
        assert caught.value.type == "disabled"
        with CMSClient(TOKEN, enabled=True) as client:
            assert lead(client)["success"] is True
        assert server.connections == 1


@pytest.mark.parametrize("value", [None, "", "1", "true", "Yes", "ON"])
def test_a_client_is_enabled_by_default(value: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without CMS_ENABLED, or with a word for yes, a client sends."""
    if value is not None:
        monkeypatch.setenv("CMS_ENABLED", value)
    with Server() as server:
        with CMSClient(TOKEN, server.url) as client:
            assert lead(client)["success"] is True
        with CMSClient(TOKEN, server.url, enabled=False) as client:
            assert lead(client)["type"] == "disabled"
        assert len(server.requests) == 1


def test_a_disabled_client_reads_no_certificates() -> None:
    """A development machine needs neither token nor certificates; wrong settings are refused."""
    configuration = Configuration(ssl_ca_cert="none.pem", verify_ssl=False, enabled=False)
    with CMSClient(configuration=configuration) as client:
        assert lead(client)["type"] == "disabled"
    with pytest.raises(ApiValueError, match="CMS_HOST"):
        CMSClient(host="nowhere", enabled=False)
    with pytest.raises(ApiValueError, match="enabled must be True or False"):
        CMSClient(TOKEN, enabled="no")  # type: ignore[arg-type]
