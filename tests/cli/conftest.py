"""A function that runs the command, a sandbox, and https servers whose certificates are trusted."""

import ssl
from collections.abc import Iterator
from typing import Callable, NamedTuple

import pytest
import trustme

from cutmeshort.cli import main
from cutmeshort.sandbox import Sandbox

from ..support.certificates import context_for

TOKEN = "sk_live_0123456789abcdef"


class Done(NamedTuple):
    """The exit code and the output of a command."""

    code: int
    out: str
    err: str


Run = Callable[..., Done]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run the command with a valid token, and with other variables that the test sets."""
    monkeypatch.setenv("CMS_BEARER_TOKEN", TOKEN)

    def run(*arguments: str) -> Done:
        try:
            code = main(arguments)
        except SystemExit as stop:
            code = int(str(stop.code))
        return Done(code, *capsys.readouterr())

    return run


@pytest.fixture(scope="module")
def running() -> Iterator[Sandbox]:
    """A sandbox that all tests of a module share."""
    with Sandbox(token=TOKEN) as sandbox:
        yield sandbox


@pytest.fixture
def sandbox(running: Sandbox, monkeypatch: pytest.MonkeyPatch) -> Sandbox:
    """A sandbox without events or faults, as the service of the command."""
    running.reset()
    monkeypatch.setenv("CMS_HOST", running.url)
    return running


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(scope="module")
def tls(authority: trustme.CA) -> ssl.SSLContext:
    """A server's context with a certificate for 127.0.0.1."""
    return context_for(authority, "127.0.0.1")


@pytest.fixture
def _trusted(
    authority: trustme.CA,
    tmp_path_factory: pytest.TempPathFactory,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Trust the certificates of the authority."""
    path = tmp_path_factory.mktemp("authority") / "ca.pem"
    authority.cert_pem.write_to_path(path)
    monkeypatch.setenv("SSL_CERT_FILE", str(path))
