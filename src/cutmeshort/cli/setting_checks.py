"""The checks of `cutmeshort doctor` that need no network."""

import ssl
from dataclasses import replace
from typing import Any, NamedTuple, Optional

from ..api_client import ApiClient
from ..checks import DEFAULT_HOST
from ..configuration import Configuration
from ..environment import read_text
from ..exceptions import ApiValueError
from ..proxies import Proxy, find_proxy
from .report import Check

# The last four characters would be too much of a shorter token.
_MIN_LENGTH_TO_SHOW = 16
_SUBSTITUTE_TOKEN = "none"  # noqa: S105 - it is not a secret
# Valid values that replace an invalid one, so that the other settings can be checked.
_SUBSTITUTES: dict[str, Any] = {
    "host": DEFAULT_HOST,
    "access_token": _SUBSTITUTE_TOKEN,
    "timeout": 10.0,
    "retries": 3,
    "enabled": True,
}


class Settings(NamedTuple):
    """
    The settings of the environment.

    Attributes:
        checks: What was found.
        client: A client with these settings, which is enabled; None if they are invalid. It has
            a token even if the environment has none, because a client needs one.
        token: The token of the environment; None if there is none, or it is invalid.
        proxy: The proxy that the client uses.
    """

    checks: list[Check]
    client: Optional[ApiClient]
    token: Optional[str]
    proxy: Optional[Proxy]


def check_settings() -> Settings:
    """Check the settings as a client does when it is created."""
    configuration, problems = _read({})
    token = None if "access_token" in problems else configuration.access_token
    proxy, client = None, None
    if "host" not in problems:
        try:
            proxy = find_proxy(configuration)
        except ApiValueError as error:
            problems["proxy"] = f"{error}."
    if not problems.keys() & {"host", "proxy"}:
        usable: dict[str, Any] = {"enabled": True, "access_token": token or _SUBSTITUTE_TOKEN}
        try:
            client = ApiClient(replace(configuration, **usable))
        except ApiValueError as error:
            problems["tls"] = f"{error}."
    checks = [
        _check_token(token, problems.get("access_token")),
        _check_host(configuration.host, problems.get("host")),
        _check_proxy(proxy, problems),
        _check_others(configuration, problems),
    ]
    return Settings(checks, client, token, proxy)


def _read(given: dict[str, Any]) -> tuple[Configuration, dict[str, str]]:
    """Return the configuration, with substitutes for invalid values, and the problems."""
    try:
        return Configuration(**given), {}
    except ApiValueError as error:
        name = str(error.argument)
        configuration, problems = _read({**given, name: _SUBSTITUTES[name]})
        return configuration, {name: f"{error}.", **problems}


def _check_token(token: Optional[str], problem: Optional[str]) -> Check:
    if problem is not None:
        given = read_text("CMS_BEARER_TOKEN") or ""
        advice = "Set CMS_BEARER_TOKEN to the token from your CutMeShort account."
        if given.lower().startswith("bearer"):
            advice = 'Remove "Bearer" from the beginning of CMS_BEARER_TOKEN.'
        elif given != given.strip():
            advice = "Remove the white space before or after the token in CMS_BEARER_TOKEN."
        return Check("token", "failed", problem, advice)
    if token is None:
        advice = "Set it to the token from your CutMeShort account."
        return Check("token", "failed", "CMS_BEARER_TOKEN is not set.", advice)
    if token[0] in "\"'":
        advice = "Remove the quotes: `docker run --env-file`, for example, keeps them."
        return Check("token", "warning", "CMS_BEARER_TOKEN begins with a quote.", advice)
    message = f"CMS_BEARER_TOKEN is set: length {len(token)}"
    if len(token) >= _MIN_LENGTH_TO_SHOW:
        message += f", last four characters {token[-4:]}"
    return Check("token", "ok", f"{message}.")


def _check_host(host: str, problem: Optional[str]) -> Check:
    if problem is not None:
        advice = "Correct CMS_HOST, or remove it to use the default."
        return Check("host", "failed", problem, advice)
    source = "CMS_HOST" if read_text("CMS_HOST") else "the default"
    return Check("host", "ok", f"{host} ({source}).")


def _check_proxy(proxy: Optional[Proxy], problems: dict[str, str]) -> Check:
    if "host" in problems:
        return Check("proxy", "skipped", "The host is invalid.")
    if "proxy" in problems:
        return Check("proxy", "failed", problems["proxy"], "Correct or remove the variable.")
    if proxy is None:
        return Check("proxy", "ok", "None: the client connects directly.")
    credentials = "with" if "Proxy-Authorization" in proxy.headers else "without"
    message = f"{proxy.url} (from the environment, {credentials} user and password)."
    return Check("proxy", "ok", message)


def _check_others(configuration: Configuration, problems: dict[str, str]) -> Check:
    others = [problems[name] for name in ("timeout", "retries", "enabled") if name in problems]
    if others:
        return Check("settings", "failed", " ".join(others), "Correct or remove the variable.")
    if "tls" in problems:
        advice = "Check the files that SSL_CERT_FILE and SSLKEYLOGFILE name."
        return Check("settings", "failed", problems["tls"], advice)
    message = f"Timeout {configuration.timeout:g} s, maximum retries {configuration.retries}."
    if not configuration.enabled:
        message = f"CMS_ENABLED is off, so calls send nothing. {message}"
        return Check("settings", "warning", message, "To track events, remove CMS_ENABLED.")
    if not _is_certificate_file_usable():
        message = f"SSL_CERT_FILE is ignored: it names no PEM file with certificates. {message}"
        return Check("settings", "warning", message, "Correct or remove SSL_CERT_FILE.")
    return Check("settings", "ok", message)


def _is_certificate_file_usable() -> bool:
    """Return False if SSL_CERT_FILE can't be loaded, which OpenSSL does not report."""
    path = read_text("SSL_CERT_FILE")
    if path is not None:
        try:
            ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(path)
        except OSError:
            return False
    return True
