"""The checker of the built site finds what is wrong with it."""

import subprocess
import sys
from pathlib import Path

import pytest

from ..support.paths import ROOT
from .check_site import check

GOOD = """
<link rel="stylesheet" href="style.css?v=1"><link rel="next" href="how-to/page.html">
<svg xmlns="http://www.w3.org/2000/svg" id="icon"></svg><svg><use href="#icon"></use></svg>
<h1 id="top">Title</h1><a href="#top">up</a><a href="how-to/page.html#sec%74ion">page</a>
<a href="https://docs.python.org/3/">Python</a><img src="data:image/png;base64,AA==">
<script>// see https://example.com/
const namespace = "http://www.w3.org/2000/svg"; location.href = "#top";</script>
"""


def make_site(folder: Path, index: str) -> Path:
    """Write a small site."""
    (folder / "how-to").mkdir()
    (folder / "index.html").write_text(index, encoding="utf-8")
    page = '<h2 id="section">Section</h2><a href="../index.html">index</a><a href="..">index</a>'
    (folder / "how-to" / "page.html").write_text(page, encoding="utf-8")
    (folder / "style.css").write_text(
        "a { background: url(data:image/png;base64,AA==) }", encoding="utf-8"
    )
    return folder


def test_a_site_without_problems_passes(tmp_path: Path) -> None:
    """Links within the site, allowed hosts, and data URLs are fine."""
    assert check(make_site(tmp_path, GOOD)) == []


@pytest.mark.parametrize(
    ("html", "problem"),
    [
        ('<a href="missing.html">x</a>', "missing.html: no such file"),
        ('<a href="../outside.html">x</a>', "../outside.html: no such file"),
        ('<a href="#missing">x</a>', "#missing: no such anchor"),
        ('<a href="how-to/page.html#missing">x</a>', "page.html#missing: no such anchor"),
        ('<svg><use href="#missing"></use></svg>', "#missing: no such anchor"),
        ('<img src="missing.png">', "missing.png: no such file"),
        ('<a href="https://example.com/">x</a>', "a link to a host that is not allowed"),
        ('<script src="https://docs.python.org/x.js"></script>', "loaded from another host"),
        ('<script src="//docs.python.org/x.js"></script>', "loaded from another host"),
        ('<link rel="stylesheet" href="https://fonts.example/x.css">', "loaded from another host"),
        ('<link rel="preconnect" href="https://fonts.example">', "loaded from another host"),
        ('<img src="https://example.com/badge.svg">', "loaded from another host"),
        ('<img srcset="https://example.com/x.png 2x">', "loaded from another host"),
        ('<iframe src="https://example.com/"></iframe>', "loaded from another host"),
        ('<p style="background: url(https://example.com/x.png)">', "loaded from another host"),
        ("<style>@import 'https://example.com/x.css';</style>", "loaded from another host"),
        ('<script>fetch("https://example.com/x")</script>', "loaded from another host"),
        (
            '<meta http-equiv="refresh" content="0; url=https://example.com/">',
            "loaded from another host",
        ),
    ],
)
def test_a_problem_in_a_page_is_found(html: str, problem: str, tmp_path: Path) -> None:
    """The one problem is named."""
    (found,) = check(make_site(tmp_path, GOOD + html))
    assert found.startswith("index.html: ")
    assert problem in found


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("style.css", "@font-face { src: url('https://fonts.example/x.woff2') }"),
        ("style.css", '@import "https://fonts.example/x.css";'),
        ("script.js", "fetch('https://example.com/x')"),
        ("script.js", "load(`//example.com/x`)"),
    ],
)
def test_a_problem_in_a_style_or_script_is_found(name: str, text: str, tmp_path: Path) -> None:
    """Styles and scripts may not load anything from another host either."""
    make_site(tmp_path, GOOD)
    (tmp_path / name).write_text(text, encoding="utf-8")
    (found,) = check(tmp_path)
    assert found.startswith(f"{name}: ")
    assert found.endswith("loaded from another host")


def test_the_command_fails_with_a_list_of_problems(tmp_path: Path) -> None:
    """It exits with 0 or 1, and names each problem; a folder without a site is one."""
    command = [sys.executable, "-m", "tests.docs.check_site", str(tmp_path)]
    empty = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert (empty.returncode, "no index.html" in empty.stderr) == (1, True)
    make_site(tmp_path, GOOD)
    good = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert (good.returncode, "2 pages" in good.stdout) == (0, True)
    (tmp_path / "index.html").write_text('<a href="missing.html">x</a>', encoding="utf-8")
    broken = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert (broken.returncode, "missing.html: no such file" in broken.stderr) == (1, True)
