"""Fixtures of the tests of the client."""

import logging
from collections.abc import Iterator

import pytest


@pytest.fixture
def log(caplog: pytest.LogCaptureFixture) -> Iterator[pytest.LogCaptureFixture]:
    """The SDK's log at DEBUG."""
    with caplog.at_level(logging.DEBUG, "cutmeshort"):
        yield caplog
