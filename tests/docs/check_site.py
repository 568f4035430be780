"""
Check a built documentation site: `python -m tests.docs.check_site FOLDER`.

Every link within the site must lead to a file and an anchor that exist, every link to another host
must be to one of ALLOWED_HOSTS, and nothing may be loaded from another host.
"""

import re
import sys
from html.parser import HTMLParser
from pathlib import Path
from typing import NamedTuple, Optional
from urllib.parse import unquote, urlsplit

# Hosts that the documentation links to. Links are not fetched.
ALLOWED_HOSTS = {
    "docs.python.org",
    "semver.org",
    "github.com",  # the theme's own link
    "www.rfc-editor.org",
}

# What a browser loads by itself: tag and attribute.
_LOADED = {
    ("audio", "src"),
    ("embed", "src"),
    ("iframe", "src"),
    ("image", "href"),
    ("img", "src"),
    ("input", "src"),
    ("object", "data"),
    ("script", "src"),
    ("source", "src"),
    ("track", "src"),
    ("use", "href"),
    ("video", "poster"),
    ("video", "src"),
}
_NAVIGATION = {"author", "canonical", "help", "index", "license", "next", "prev", "search"}
_CSS_URL = re.compile(r"""(?:url\(|@import)\s*["']?([^"')\s;]+)""")
# A text in a script that is the address of another host; that of a namespace is not loaded.
_SCRIPT_URL = re.compile(r"""["'`]((?:https?:)?//(?!www\.w3\.org/)[\w.-]+\.[\w.-]+[^"'`]*)["'`]""")
_COMMENT = re.compile(r"/\*.*?\*/|(?<![:\"'`])//[^\n]*", re.DOTALL)


class Reference(NamedTuple):
    """
    An address in a page.

    Attributes:
        url: The address, as it is written.
        loaded: Whether a browser loads it by itself; else it is a link to follow.
    """

    url: str
    loaded: bool


class Page(HTMLParser):
    """
    The anchors and addresses of a page.

    Attributes:
        anchors: Ids of elements, and names of links.
        references: Addresses.
    """

    def __init__(self, text: str) -> None:
        super().__init__()
        self.anchors: set[str] = set()
        self.references: list[Reference] = []
        self._inside = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, Optional[str]]]) -> None:
        """Note the anchors and addresses of an element."""
        values = {name.removeprefix("xlink:"): value or "" for name, value in attrs}
        self._inside = tag
        self.anchors |= {values[name] for name in ("id", "name") if name in values}
        for name, url in values.items():
            if (tag, name) in _LOADED:
                self._add(url, loaded=True)
            elif name == "srcset":
                for candidate in url.split(","):
                    self._add(candidate.split()[0], loaded=True)
            elif name == "style":
                self._add_css(url)
            elif tag == "link" and name == "href":
                loaded = not set(values.get("rel", "").split()) <= _NAVIGATION
                self._add(url, loaded=loaded)
            elif (tag, name) in {("a", "href"), ("area", "href"), ("form", "action")}:
                self._add(url, loaded=False)
            elif tag == "meta" and name == "content" and "http-equiv" in values:
                self._add(url.partition("url=")[2], loaded=True)

    def handle_endtag(self, tag: str) -> None:  # noqa: ARG002
        """Leave an element."""
        self._inside = ""

    def handle_data(self, data: str) -> None:
        """Note addresses in styles and scripts."""
        if self._inside == "style":
            self._add_css(data)
        elif self._inside == "script":
            for url in script_urls(data):
                self._add(url, loaded=True)

    def _add(self, url: str, *, loaded: bool) -> None:
        if url and not url.startswith(("data:", "mailto:")):
            self.references.append(Reference(url, loaded))

    def _add_css(self, text: str) -> None:
        for url in _CSS_URL.findall(text):
            self._add(url, loaded=True)


def script_urls(text: str) -> list[str]:
    """Return the addresses of other hosts in a script, comments left out."""
    return _SCRIPT_URL.findall(_COMMENT.sub("", text))


def _problem(site: Path, path: Path, reference: Reference, pages: dict[Path, Page]) -> str:
    """Return what is wrong with an address in a file, or nothing."""
    parts = urlsplit(reference.url)
    if parts.scheme or parts.netloc:
        if reference.loaded:
            return "loaded from another host"
        return "" if parts.hostname in ALLOWED_HOSTS else "a link to a host that is not allowed"
    target = path
    if parts.path:
        target = (path.parent / unquote(parts.path)).resolve()
    if target.is_dir():
        target /= "index.html"
    if site not in target.parents or not target.is_file():
        return "no such file"
    page = pages.get(target)
    if parts.fragment and page is not None and unquote(parts.fragment) not in page.anchors:
        return "no such anchor"
    return ""


def check(site: Path) -> list[str]:
    """Return the problems of a site, one line each."""
    site = site.resolve()
    pages = {path: Page(path.read_text(encoding="utf-8")) for path in site.rglob("*.html")}
    found = {path: page.references for path, page in pages.items()}
    for path in site.rglob("*.css"):
        urls = _CSS_URL.findall(path.read_text(encoding="utf-8"))
        found[path] = [Reference(url, True) for url in urls if not url.startswith("data:")]
    for path in site.rglob("*.js"):
        urls = script_urls(path.read_text(encoding="utf-8"))
        found[path] = [Reference(url, True) for url in urls]
    return [
        f"{path.relative_to(site)}: {reference.url}: {problem}"
        for path, references in sorted(found.items())
        for reference in references
        if (problem := _problem(site, path, reference, pages))
    ]


def main() -> None:
    """Check the site in the folder that the command line names."""
    site = Path(sys.argv[1])
    if not (site / "index.html").is_file():
        sys.exit(f"{site} has no index.html")
    problems = check(site)
    if problems:
        sys.exit("\n".join(problems))
    print(f"{site}: {len(list(site.rglob('*.html')))} pages, all links work")


if __name__ == "__main__":
    main()
