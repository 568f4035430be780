"""The tutorial shows what its code prints."""

import re

import pytest

from .pages import page


@pytest.mark.usefixtures("sandbox")
def test_the_tutorial_shows_what_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    """The block of text after code that prints is its output, except for the request id."""
    names: dict[str, object] = {}
    printed, shown = [], []
    for block in page("tutorial").blocks():
        if block.language == "text":
            shown.append(re.sub("req_[0-9a-f]+", "ID", block.text))
        elif block.language == "python" and not block.text.startswith("# "):
            exec(block.text, names)
            output = capsys.readouterr().out
            printed += [re.sub("req_[0-9a-f]+", "ID", output)] if output else []
    assert len(printed) == 2
    assert printed == shown
