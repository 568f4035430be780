"""The screenshots of the page, which the documentation shows."""

import os
from pathlib import Path

import pytest

from cutmeshort.sandbox import Sandbox

from .chromium import Windows
from .screenshots import NAMES, take_screenshots

pytestmark = pytest.mark.browser


def test_the_screenshots_are_taken(windows: Windows, sandbox: Sandbox, tmp_path: Path) -> None:
    """The script takes each picture, into the folder in TEST_SCREENSHOTS if that is set."""
    folder = Path(os.environ.get("TEST_SCREENSHOTS") or tmp_path)
    take_screenshots(windows, sandbox, folder)
    assert {path.stem for path in folder.glob("*.png")} >= set(NAMES)
