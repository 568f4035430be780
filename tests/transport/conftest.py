"""A private certificate authority, and https servers that have its certificates."""

import ssl
from collections.abc import Iterator

import pytest
import trustme

from ..support.certificates import context_for
from ..support.server import OK, Server


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(scope="module")
def authority_file(authority: trustme.CA, tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("authority") / "ca.pem"
    authority.cert_pem.write_to_path(path)
    return str(path)


@pytest.fixture(scope="module")
def tls(authority: trustme.CA) -> ssl.SSLContext:
    """A server's context with a certificate for 127.0.0.1."""
    return context_for(authority, "127.0.0.1")


@pytest.fixture
def target(tls: ssl.SSLContext) -> Iterator[Server]:
    """An https server that proxies tunnel to."""
    with Server(OK, tls=tls) as server:
        yield server
