"""`cutmeshort doctor --offline`: what it reports about the settings, without any network I/O."""

import json
from pathlib import Path
from typing import Any, Optional

import pytest

from ..support.processes import run_program
from .conftest import TOKEN, Run

SETTINGS = ["token", "host", "proxy", "settings"]


@pytest.fixture
def check(run: Run, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Set variables, run the command, and return its exit code and the checks by name."""

    def check(**variables: str) -> tuple[int, dict[str, dict[str, str]]]:
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        done = run("doctor", "--offline", "--json")
        assert done.err == ""
        document = json.loads(done.out)
        assert [check["name"] for check in document["checks"]] == SETTINGS
        failed = [check for check in document["checks"] if check["status"] == "failed"]
        assert document["ok"] is not bool(failed)
        assert all(check["advice"] for check in failed)
        return done.code, {check["name"]: check for check in document["checks"]}

    return check


def test_valid_settings_are_described(check: Any) -> None:
    """The report shows the source of each setting, and only the token's length and last four."""
    code, checks = check()
    assert code == 0
    assert {name: check["message"] for name, check in checks.items()} == {
        "token": "CMS_BEARER_TOKEN is set: length 24, last four characters cdef.",
        "host": "https://api.cme.sh (the default).",
        "proxy": "None: the client connects directly.",
        "settings": "Timeout 10 s, maximum retries 3.",
    }
    assert {check["status"] for check in checks.values()} == {"ok"}
    _, checks = check(CMS_HOST="https://gw.example/cms/", CMS_TIMEOUT="2.5", CMS_MAX_RETRIES="0")
    assert checks["host"]["message"] == "https://gw.example/cms (CMS_HOST)."
    assert checks["settings"]["message"] == "Timeout 2.5 s, maximum retries 0."


@pytest.mark.parametrize(
    ("token", "shown"),
    [
        ("abcdefghijkl1234", "length 16, last four characters 1234."),
        ("abcdefghijk1234", "length 15."),
        ("t", "length 1."),
    ],
)
def test_a_short_token_is_not_shown(token: str, shown: str, check: Any) -> None:
    """The report shows only the length of a token with fewer than 16 characters."""
    code, checks = check(CMS_BEARER_TOKEN=token)
    assert code == 0
    assert checks["token"]["message"] == f"CMS_BEARER_TOKEN is set: {shown}"


@pytest.mark.parametrize(
    ("token", "message", "advice"),
    [
        ("", "CMS_BEARER_TOKEN is not set.", "Set it to the token"),
        (f"Bearer {TOKEN}", "token (or CMS_BEARER_TOKEN) must be", 'Remove "Bearer"'),
        (f"{TOKEN}\n", "token (or CMS_BEARER_TOKEN) must be", "Remove the white space"),
        (f" {TOKEN}", "token (or CMS_BEARER_TOKEN) must be", "Remove the white space"),
        ("tökén-tökén-tökén", "token (or CMS_BEARER_TOKEN) must be", "Set CMS_BEARER_TOKEN to"),
    ],
)
def test_a_token_that_is_not_valid_has_advice(
    token: str, message: str, advice: str, check: Any
) -> None:
    """The report says what is wrong with the token, and shows no part of it."""
    code, checks = check(CMS_BEARER_TOKEN=token)
    assert (code, checks["token"]["status"]) == (1, "failed")
    assert checks["token"]["message"].startswith(message)
    assert checks["token"]["advice"].startswith(advice)
    assert not token or token.strip()[-4:] not in str(checks)
    assert {checks[name]["status"] for name in SETTINGS[1:]} == {"ok"}


@pytest.mark.parametrize("quote", ["'", '"'])
def test_quotes_around_the_token_are_a_warning(quote: str, check: Any) -> None:
    """A token in quotes, which some tools keep, is valid but probably wrong."""
    code, checks = check(CMS_BEARER_TOKEN=f"{quote}{TOKEN}{quote}")
    assert (code, checks["token"]["status"]) == (0, "warning")
    assert checks["token"]["advice"].startswith("Remove the quotes")


def test_all_problems_are_reported(check: Any) -> None:
    """Each invalid setting is reported, not only the first one."""
    code, checks = check(
        CMS_BEARER_TOKEN="not valid",
        CMS_HOST="http://api.example",
        CMS_TIMEOUT="soon",
        CMS_MAX_RETRIES="-1",
        CMS_ENABLED="perhaps",
    )
    assert code == 1
    assert [checks[name]["status"] for name in SETTINGS] == [
        *("failed", "failed", "skipped", "failed")
    ]
    assert checks["host"]["message"].startswith("host (or CMS_HOST) must begin with https://")
    for name in ("CMS_TIMEOUT", "CMS_MAX_RETRIES", "CMS_ENABLED"):
        assert f"{name} must be" in checks["settings"]["message"]


def test_a_proxy_is_shown_without_its_password(check: Any) -> None:
    """The report shows the proxy's address, and whether it has a user and password."""
    _, checks = check(HTTPS_PROXY="http://ann:secret@proxy.example:3128")
    shown = "http://proxy.example:3128 (from the environment, with user and password)."
    assert checks["proxy"]["message"] == shown
    _, checks = check(HTTPS_PROXY="proxy.example:3128")
    assert "without user and password" in checks["proxy"]["message"]
    code, checks = check(HTTPS_PROXY="socks5://ann:secret@proxy.example")
    assert (code, checks["proxy"]["status"]) == (1, "failed")
    assert checks["proxy"]["message"].startswith("HTTPS_PROXY must be a URL like http://")
    assert "secret" not in str(checks["proxy"])


def test_disabled_tracking_is_a_warning(check: Any) -> None:
    """With CMS_ENABLED=0, the report warns that nothing is sent, and the exit code is 0."""
    code, checks = check(CMS_ENABLED="0")
    assert (code, checks["settings"]["status"]) == (0, "warning")
    assert "calls send nothing" in checks["settings"]["message"]
    assert "CMS_ENABLED" in checks["settings"]["advice"]


def test_a_client_that_can_not_be_created_is_reported(check: Any, tmp_path: Path) -> None:
    """If TLS can't be set up, for example because of SSLKEYLOGFILE, the report says so."""
    code, checks = check(SSLKEYLOGFILE=str(tmp_path / "missing" / "keys"))
    assert (code, checks["settings"]["status"]) == (1, "failed")
    assert checks["settings"]["message"].startswith("TLS can't be used: ")
    assert "SSLKEYLOGFILE" in checks["settings"]["advice"]


@pytest.mark.parametrize("content", [None, "not PEM"])
def test_a_certificate_file_that_openssl_ignores_is_a_warning(
    content: Optional[str], check: Any, tmp_path: Path
) -> None:
    """If SSL_CERT_FILE is missing or has no certificates, the report warns that it is ignored."""
    path = tmp_path / "ca.pem"
    if content is not None:
        path.write_text(content, encoding="utf-8")
    code, checks = check(SSL_CERT_FILE=str(path))
    assert (code, checks["settings"]["status"]) == (0, "warning")
    assert checks["settings"]["message"].startswith("SSL_CERT_FILE is ignored: ")


@pytest.mark.usefixtures("_trusted")
def test_a_certificate_file_that_can_be_loaded_passes(
    check: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If SSL_CERT_FILE has a certificate, or is not set, there is no warning."""
    assert check()[1]["settings"]["status"] == "ok"
    monkeypatch.delenv("SSL_CERT_FILE")
    assert check()[1]["settings"]["status"] == "ok"


OFFLINE = """
import sys
from cutmeshort.cli import doctor, main
events = []
sys.addaudithook(lambda event, _: events.append(event))
assert main(["doctor", "--offline"]) == 0
print(*(event for event in events if event.startswith("socket.")))
"""


def test_offline_checks_use_no_network() -> None:
    """`--offline` uses no socket, so that it works in a build."""
    output = run_program(OFFLINE, CMS_BEARER_TOKEN=TOKEN, CMS_HOST="https://service.example")
    assert output.splitlines()[len(SETTINGS) :] == [""]
