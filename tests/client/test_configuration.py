"""Configuration: assignment, the freeze at a client's creation, copies, pickles and `repr`."""

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
    ApiTypeError,
    ApiValueError,
    CMSClient,
    Configuration,
)

from ..support.events import TOKEN, lead
from ..support.server import Server, respond


def test_none_means_not_set(monkeypatch: pytest.MonkeyPatch) -> None:
    """A setting that is None takes its value from its environment variable, or else its default."""
    names = [field.name for field in dataclasses.fields(Configuration)]
    assert Configuration(**dict.fromkeys(names)) == Configuration()  # type: ignore[arg-type]
    monkeypatch.setenv("CMS_HOST", "https://gw.example")
    configuration = Configuration(host=None)  # type: ignore[arg-type]
    assert configuration.host == "https://gw.example"
    configuration.host = "https://other.example"
    configuration.host = None  # type: ignore[assignment]
    assert configuration.host == "https://gw.example"


@pytest.mark.parametrize("client_class", [CMSClient, ApiClient])
def test_a_setting_can_be_assigned_until_a_client_is_created(client_class: Any) -> None:
    """Settings can be assigned until a client is created with them, and are frozen after that."""
    with Server(respond(500)) as server:
        configuration = Configuration(access_token=TOKEN)
        configuration.host = server.url + "/cms/"
        configuration.retries = 0
        configuration.request_timeout = 2
        configuration.proxy_headers = {"X": "1"}
        assert configuration.host == server.url + "/cms"
        assert configuration.request_timeout == (2.0, 2.0)
        with client_class(configuration=configuration) as client:
            configuration_of = getattr(client, "api_client", client).configuration
            assert configuration_of == configuration
            with pytest.raises(ApiAttributeError, match="a client uses this configuration"):
                configuration.timeout = 5
            with pytest.raises(ApiAttributeError, match="a client uses this configuration"):
                configuration_of.timeout = 5
        changed = dataclasses.replace(configuration, timeout=5)
        changed.timeout = 6
        with CMSClient(configuration=changed) as client:
            assert lead(client)["attempts"] == 1
        assert server.requests[0].target == "/cms/track/lead"
    assert configuration.timeout == 10


def test_a_setting_is_checked_when_it_is_assigned() -> None:
    """Assigning an invalid value, or to an unknown setting, fails and changes nothing."""
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
    with pytest.raises(ApiAttributeError, match="no setting named verfy_ssl"):
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


def test_settings_can_be_corrected_after_a_client_rejects_them() -> None:
    """After a client rejects them, settings can be corrected, and assigned in any order."""
    configuration = Configuration(access_token=TOKEN)
    configuration.key_file = "key.pem"
    for client_class in (CMSClient, ApiClient):
        with pytest.raises(ApiValueError, match="key_file requires cert_file"):
            client_class(configuration=configuration)
    configuration.cert_file = "cert.pem"
    for client_class in (CMSClient, ApiClient):
        with pytest.raises(ApiValueError, match=r"cert_file can't be read: 'cert\.pem'"):
            client_class(configuration=configuration)
    configuration.key_file = configuration.cert_file = None
    configuration.access_token = None
    with pytest.raises(ApiValueError, match="there is no token"):
        CMSClient(configuration=configuration)
    configuration.access_token = TOKEN


@pytest.mark.parametrize("is_set", [True, False])
def test_the_default_can_be_changed_for_later_clients(is_set: bool) -> None:
    """A client uses a copy of the default configuration, which can be changed for later clients."""
    if is_set:
        Configuration.set_default(Configuration("https://a.example", TOKEN))
    default = Configuration.get_default()
    assert default is Configuration.get_default()
    default.host, default.access_token = "https://a.example", TOKEN
    with CMSClient() as first:
        default.host = "https://b.example"
        with CMSClient() as second:
            assert repr(first) == "CMSClient(host='https://a.example')"
            assert repr(second) == "CMSClient(host='https://b.example')"


def test_the_default_must_be_a_configuration() -> None:
    """`Configuration.set_default` rejects a value that is not a Configuration."""
    with pytest.raises(ApiTypeError, match="default must be a Configuration"):
        Configuration.set_default("https://a.example")  # type: ignore[arg-type]


def test_a_file_may_be_a_path() -> None:
    """A setting that names a file can be a string or a `pathlib.Path`."""
    configuration = Configuration(ssl_ca_cert=Path("ca.pem"), cert_file=Path("a"), key_file="b")
    assert (configuration.ssl_ca_cert, configuration.cert_file) == ("ca.pem", "a")


def test_a_pickle_has_no_token_and_no_password(monkeypatch: pytest.MonkeyPatch) -> None:
    """A pickle has no secrets; when it is loaded, the token comes from the environment."""
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


def test_a_configuration_copies_headers_and_options() -> None:
    """A configuration has immutable copies of the headers and options that it was created with."""
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
    """The `repr` shows no secret; a copy is equal and independent, and changes no log level."""
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


@pytest.mark.parametrize("client_class", [CMSClient, ApiClient])
def test_the_configuration_must_be_a_configuration(client_class: Any) -> None:
    """A client rejects a `configuration` that is not a Configuration."""
    with pytest.raises(ApiTypeError, match="configuration must be"):
        client_class(configuration={"host": "https://api.cme.sh"})
