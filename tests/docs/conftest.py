"""A sandbox as the service of the documentation's code."""

from collections.abc import Iterator

import pytest

from cutmeshort.sandbox import Sandbox


@pytest.fixture
def sandbox(monkeypatch: pytest.MonkeyPatch) -> Iterator[Sandbox]:
    """A sandbox whose URL and token are in the environment."""
    with Sandbox() as sandbox:
        monkeypatch.setenv("CMS_BEARER_TOKEN", sandbox.token)
        monkeypatch.setenv("CMS_HOST", sandbox.url)
        yield sandbox
