"""Reads the Markdown of the documentation: its blocks, tables, headings and links."""

import re
from pathlib import Path
from typing import NamedTuple

from ..support.paths import ROOT

DOCS = ROOT / "docs"

_FENCED = re.compile(r"^```(.*?)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_TABLE = re.compile(r"(?:^\|.*\n)+", re.MULTILINE)
_LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")

Row = dict[str, str]


class Block(NamedTuple):
    """
    A fenced block.

    Attributes:
        language: What follows the opening fence.
        text: The content.
        line: The line of the opening fence, from 1.
        heading: The heading above it.
    """

    language: str
    text: str
    line: int
    heading: str


class Page:
    """
    A page of the documentation.

    Args:
        path: The file.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.text = path.read_text(encoding="utf-8")
        self.prose = _FENCED.sub(lambda block: "\n" * block[0].count("\n"), self.text)

    def __repr__(self) -> str:
        return self.path.relative_to(ROOT).as_posix()

    def headings(self) -> list[tuple[int, str]]:
        """Return the lines of the headings, from 1, and their texts without formatting."""
        return [
            (number, line.lstrip("#").strip().replace("`", ""))
            for number, line in enumerate(self.prose.splitlines(), start=1)
            if re.match("#+ ", line)
        ]

    def anchors(self) -> set[str]:
        """Return the anchors of the headings, as GitHub and MyST make them."""
        return {
            re.sub(r"[^\w -]", "", text.lower()).replace(" ", "-") for _, text in self.headings()
        }

    def links(self) -> list[str]:
        """Return the targets of all links."""
        return _LINK.findall(re.sub(r"`[^`\n]*`", "", self.prose))

    def blocks(self, language: str = "") -> list[Block]:
        """Return the blocks of a language, or all."""
        found = []
        for match in _FENCED.finditer(self.text):
            line = self.text.count("\n", 0, match.start()) + 1
            above = [text for number, text in self.headings() if number < line]
            found.append(Block(match[1], match[2], line, above[-1]))
        return [block for block in found if language in ("", block.language)]

    def block(self, language: str, start: str) -> str:
        """Return the one block of a language that starts with a text."""
        (found,) = (block.text for block in self.blocks(language) if block.text.startswith(start))
        return found

    def table(self, heading: str, number: int = 0) -> list[Row]:
        """Return a table below a heading, each row as a dict by the names of the columns."""
        (line,) = (line for line, text in self.headings() if text == heading)
        below = "\n".join(self.prose.splitlines()[line:])
        below = re.split(r"^#{1,2} ", below, flags=re.MULTILINE)[0] + "\n"
        names, _, *rows = [_cells(row) for row in _TABLE.findall(below)[number].splitlines()]
        assert all(len(row) == len(names) for row in rows)
        return [dict(zip(names, row)) for row in rows]


def _cells(row: str) -> list[str]:
    return [cell.strip() for cell in row.strip("|").split("|")]


def names(cell: str) -> list[str]:
    """Return the texts in backticks."""
    return re.findall(r"`([^`]+)`", cell)


README = Page(ROOT / "README.md")
PAGES = [Page(path) for path in sorted(DOCS.rglob("*.md"))]
ALL = [README, *PAGES]


def page(name: str) -> Page:
    """Return a page by its path below docs/, without the suffix."""
    return Page(DOCS / f"{name}.md")
