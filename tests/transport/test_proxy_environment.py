"""The proxy that environment variables name, and the hosts that NO_PROXY excludes."""

import pytest

from cutmeshort import ApiValueError, CMSClient
from cutmeshort.proxies import environment_proxy, is_excluded

from ..support.events import TOKEN

HTTPS = "https://api.example"
HTTP = "http://api.example"


@pytest.mark.parametrize(
    ("variables", "url", "proxy"),
    [
        ({}, HTTPS, None),
        ({"HTTPS_PROXY": "http://p:1"}, HTTPS, "http://p:1"),
        ({"https_proxy": "http://p:1"}, HTTPS, "http://p:1"),
        ({"https_proxy": "http://p:1", "HTTPS_PROXY": "http://q:1"}, HTTPS, "http://p:1"),
        ({"HTTPS_PROXY": "p:1"}, HTTPS, "http://p:1"),
        ({"HTTPS_PROXY": "http://u:s@p:1"}, HTTPS, "http://u:s@p:1"),
        ({"HTTPS_PROXY": ""}, HTTPS, None),
        ({"HTTPS_PROXY": "http://p:1"}, HTTP, None),
        ({"HTTP_PROXY": "http://p:1"}, HTTP, "http://p:1"),
        ({"HTTP_PROXY": "http://p:1"}, HTTPS, None),
        ({"HTTP_PROXY": "http://p:1", "REQUEST_METHOD": "POST"}, HTTP, None),
        ({"http_proxy": "http://p:1", "REQUEST_METHOD": "POST"}, HTTP, "http://p:1"),
        ({"HTTPS_PROXY": "http://p:1", "REQUEST_METHOD": "POST"}, HTTPS, "http://p:1"),
        ({"ALL_PROXY": "http://p:1"}, HTTPS, "http://p:1"),
        ({"ALL_PROXY": "http://p:1"}, HTTP, "http://p:1"),
        ({"all_proxy": "http://p:1", "ALL_PROXY": "http://q:1"}, HTTPS, "http://p:1"),
        ({"ALL_PROXY": "http://p:1", "HTTPS_PROXY": "http://q:1"}, HTTPS, "http://q:1"),
        ({"ALL_PROXY": "http://p:1", "HTTPS_PROXY": ""}, HTTPS, "http://p:1"),
        ({"ALL_PROXY": "http://p:1", "NO_PROXY": "api.example"}, HTTPS, None),
        ({"ALL_PROXY": "http://p:1", "no_proxy": "x", "NO_PROXY": "*"}, HTTPS, "http://p:1"),
        ({"ALL_PROXY": "http://p:1"}, "http://127.0.0.1:80", None),
        ({"ALL_PROXY": "http://p:1"}, "http://localhost", None),
        ({"ALL_PROXY": "http://p:1"}, "https://localhost", "http://p:1"),
        ({"ALL_PROXY": "http://p:1", "NO_PROXY": "::1"}, "https://[::1]:8443", None),
        ({"ALL_PROXY": "http://p:1", "NO_PROXY": "api.example:443"}, HTTPS, None),
        ({"ALL_PROXY": "http://p:1", "NO_PROXY": "api.example:80"}, HTTPS, "http://p:1"),
    ],
)
def test_the_environment_names_a_proxy(
    variables: dict[str, str], url: str, proxy: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The scheme's variable takes precedence over ALL_PROXY, and lower case over upper case."""
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert environment_proxy(url) == proxy


@pytest.mark.parametrize(
    ("no_proxy", "host", "port", "excluded"),
    [
        ("", "api.example", 443, False),
        ("*", "api.example", 443, True),
        ("*", "127.0.0.1", 443, True),
        ("api.example", "api.example", 443, True),
        ("API.example", "api.EXAMPLE", 443, True),
        ("api.example", "api.example.", 443, True),
        ("api.example.", "api.example", 443, True),
        ("example", "api.example", 443, True),
        (".example", "api.example", 443, True),
        (".example", "example", 443, True),
        ("*.example", "api.example", 443, True),
        ("ample", "api.example", 443, False),
        ("api.example", "v1.api.example", 443, True),
        ("v1.api.example", "api.example", 443, False),
        ("other, api.example", "api.example", 443, True),
        ("other api.example", "api.example", 443, True),
        (" ,, ", "api.example", 443, False),
        (".", "api.example", 443, False),
        ("api.example:443", "api.example", 443, True),
        ("api.example:8443", "api.example", 443, False),
        ("example:8443", "api.example", 8443, True),
        ("*:8443", "api.example", 8443, True),
        ("*:8443", "api.example", 443, False),
        ("10.1.2.3", "10.1.2.3", 443, True),
        ("10.1.2.3:8443", "10.1.2.3", 8443, True),
        ("10.1.2.3:8443", "10.1.2.3", 443, False),
        ("10.1.2", "10.1.2.3", 443, False),
        ("2.3", "10.1.2.3", 443, False),
        ("10.0.0.0/8", "10.1.2.3", 443, True),
        ("10.1.2.3/8", "10.9.9.9", 443, True),
        ("10.0.0.0/8", "11.1.2.3", 443, False),
        ("10.0.0.0/8", "api.example", 443, False),
        ("10.0.0.0/99", "10.1.2.3", 443, False),
        ("0.0.0.0/0", "10.1.2.3", 443, True),
        ("::1", "::1", 443, True),
        ("[::1]", "::1", 443, True),
        ("[::1]:443", "::1", 443, True),
        ("[::1]:8443", "::1", 443, False),
        ("0:0:0:0:0:0:0:1", "::1", 443, True),
        ("2001:DB8::/32", "2001:db8::7", 443, True),
        ("[2001:db8::]/32", "2001:db8::7", 443, True),
        ("2001:db8::/32", "2001:db9::7", 443, False),
        ("::/0", "10.1.2.3", 443, False),
        ("10.0.0.0/8", "::1", 443, False),
    ],
)
def test_no_proxy_excludes_hosts(no_proxy: str, host: str, port: int, excluded: bool) -> None:
    """NO_PROXY excludes names with subdomains, addresses and CIDR blocks, for all ports or one."""
    assert is_excluded(no_proxy, host, port) is excluded


@pytest.mark.parametrize("variable", ["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"])
def test_the_error_for_an_unsupported_proxy_names_its_variable(
    variable: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A client rejects an unsupported proxy for its host, and the error names the variable."""
    monkeypatch.setenv(variable, "socks5://user:secret@127.0.0.1:1080")
    with pytest.raises(ApiValueError, match=variable) as caught:
        CMSClient(TOKEN)
    assert "secret" not in str(caught.value)
    monkeypatch.setenv("NO_PROXY", "cme.sh")
    CMSClient(TOKEN).close()
