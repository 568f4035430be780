"""
A hatchling hook that sets the README and the URLs, which depend on where a package is built.

When the release workflow builds a tag on GitHub, environment variables identify the repository:
relative links in the README become links to the files of that tag, and the project gets the URLs of
the repository. Any other build uses the README unchanged. A wheel that is built from an sdist gets
the metadata of the sdist.
"""

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple, Optional

from hatchling.metadata.plugin.interface import MetadataHookInterface

_IMAGES = frozenset({".gif", ".jpg", ".png", ".svg", ".webp"})
# Inline code or a fenced block: text between two runs of equally many backticks.
_CODE = r"(?<!`)(?P<ticks>`+)(?!`).*?(?<!`)(?P=ticks)(?!`)"
# The target of `](target)` or `[label]: target`, if it is neither an anchor nor a URL.
_RELATIVE_LINK = (
    r"(?P<before>\]\(|^\[[^\]\n]+\]:[ \t]*)"
    r"(?!\#|//|[A-Za-z][A-Za-z0-9+.-]*:)(?:\./)?(?P<target>[^\s)]+)"
)
_CODE_OR_LINK = re.compile(f"{_CODE}|{_RELATIVE_LINK}", re.DOTALL | re.MULTILINE)


class Tag(NamedTuple):
    """
    A version's tag in a repository on GitHub.

    Attributes:
        repository: The repository's URL.
        name: The tag's name.
    """

    repository: str
    name: str


class MetadataHook(MetadataHookInterface):
    """Sets the `readme` and `urls` of the project."""

    def update(self, metadata: dict[str, Any]) -> None:
        """Set the metadata; in a build of the tag, with links to the repository."""
        root = Path(self.root)
        text = (root / "README.md").read_text(encoding="utf-8")
        urls = dict(self.config["urls"])
        tag = find_tag(os.environ, metadata["version"])
        if tag is not None:
            text = make_links_absolute(text, tag, root)
            urls.update(
                Repository=tag.repository,
                Documentation=f"{tag.repository}/tree/{tag.name}/docs",
                Changelog=f"{tag.repository}/blob/{tag.name}/docs/changelog.md",
                Issues=f"{tag.repository}/issues",
            )
        metadata["readme"] = {"content-type": "text/markdown", "text": text}
        metadata["urls"] = urls


def find_tag(environment: Mapping[str, str], version: str) -> Optional[Tag]:
    """
    Return the tag that GitHub Actions builds, or None if it is not the tag of this version.

    In any other build, the variables are ignored: they may identify another project's repository.
    """
    server, repository = (
        environment.get(name) for name in ("GITHUB_SERVER_URL", "GITHUB_REPOSITORY")
    )
    name = f"v{version}"
    if not server or not repository or environment.get("GITHUB_REF") != f"refs/tags/{name}":
        return None
    return Tag(f"{server}/{repository}", name)


def make_links_absolute(text: str, tag: Tag, root: Path) -> str:
    """
    Replace the relative links of a Markdown text, except in code.

    Links within the page, like `#settings`, stay as they are.

    Args:
        text: The text of a file in the root of the repository.
        tag: The tag to link to.
        root: The root of the repository, to tell files from directories.
    """

    def replace(match: "re.Match[str]") -> str:
        target = match["target"]
        if target is None:
            return match[0]
        path = root / target.partition("#")[0]
        view = "raw" if path.suffix in _IMAGES else "tree" if path.is_dir() else "blob"
        return f"{match['before']}{tag.repository}/{view}/{tag.name}/{target}"

    return _CODE_OR_LINK.sub(replace, text)
