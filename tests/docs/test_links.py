"""The links between the README and the pages work, on GitHub as on the site."""

from urllib.parse import urlsplit

import pytest

from .check_site import ALLOWED_HOSTS
from .pages import ALL, DOCS, PAGES, Page, page


@pytest.mark.parametrize("source", ALL, ids=str)
def test_every_link_leads_to_a_file_and_an_anchor(source: Page) -> None:
    """A relative link names a file, and an anchor a heading; another host is an allowed one."""
    for target in source.links():
        parts = urlsplit(target)
        if parts.scheme:
            assert (parts.scheme, parts.hostname in ALLOWED_HOSTS) == ("https", True), target
            continue
        path = (source.path.parent / parts.path).resolve() if parts.path else source.path
        assert path.is_file(), target
        if parts.fragment:
            assert parts.fragment in Page(path).anchors(), target


def test_the_index_links_to_every_page_twice() -> None:
    """Every page is in the lists, for GitHub, and in the table of contents, for the site."""
    index = page("index")
    names = {each.path.relative_to(DOCS).as_posix() for each in PAGES} - {"index.md"}
    assert set(index.links()) == names
    entries = [
        f"{line}.md"
        for block in index.blocks("{toctree}")
        for line in block.text.splitlines()
        if line and not line.startswith(":")
    ]
    assert sorted(entries) == sorted(names)


@pytest.mark.parametrize("source", PAGES, ids=str)
def test_headings_are_unique_and_nested(source: Page) -> None:
    """A page has one title; two equal headings would share an anchor, and none skips a level."""
    lines = source.prose.splitlines()
    levels = [len(lines[number - 1].split(" ")[0]) for number, _ in source.headings()]
    assert levels[0] == 1
    assert 1 not in levels[1:]
    assert all(later <= earlier + 1 for earlier, later in zip(levels, levels[1:]))
    if source.path.name != "changelog.md":
        assert len(source.anchors()) == len(levels)
