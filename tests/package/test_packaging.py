"""The sdist and the wheel: their files, and metadata whose links work outside the repository."""

import os
import re
import runpy
import subprocess
import sys
import tarfile
import zipfile
from email import message_from_string
from email.message import Message
from pathlib import Path
from typing import NamedTuple

import pytest

from cutmeshort import __version__

from ..support.paths import ROOT, SOURCE

pytest.importorskip("hatchling", reason="needs hatchling, which the extra dev installs")

README = (ROOT / "README.md").read_text(encoding="utf-8")
REPOSITORY = "https://github.example/acme/shop"
TAG = f"v{__version__}"
RELEASE = {
    "GITHUB_SERVER_URL": "https://github.example",
    "GITHUB_REPOSITORY": "acme/shop",
    "GITHUB_REF": f"refs/tags/{TAG}",
}


class Built(NamedTuple):
    """
    The products of one build.

    Attributes:
        sdist: The path of the sdist.
        wheel: The path of the wheel.
        metadata: The text of the wheel's METADATA.
    """

    sdist: Path
    wheel: Path
    metadata: str

    @property
    def message(self) -> Message:
        """The metadata's fields, with the description as the payload."""
        return message_from_string(self.metadata)

    @property
    def urls(self) -> dict[str, str]:
        """The project's URLs by label."""
        fields = self.message.get_all("Project-URL", [])
        return dict(field.split(", ", 1) for field in fields)


def _hatchling(tree: Path, directory: Path, *targets: str, **variables: str) -> None:
    """Build in this environment, as an isolated build would need a package index."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith("GITHUB_")}
    options = [option for target in targets for option in ("-t", target)]
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-d", str(directory), *options],
        cwd=tree,
        env={**environment, **variables},
        check=True,
        stdout=subprocess.DEVNULL,
        timeout=60,
    )


def _wheel_metadata(wheel: Path) -> str:
    with zipfile.ZipFile(wheel) as archive:
        name = f"cutmeshort-{__version__}.dist-info/METADATA"
        return archive.read(name).decode()


def _build(directory: Path, **variables: str) -> Built:
    _hatchling(ROOT, directory, "sdist", "wheel", **variables)
    (sdist,), (wheel,) = directory.glob("*.tar.gz"), directory.glob("*.whl")
    return Built(sdist, wheel, _wheel_metadata(wheel))


@pytest.fixture(scope="module")
def local(tmp_path_factory: pytest.TempPathFactory) -> Built:
    """A build on a developer's machine."""
    return _build(tmp_path_factory.mktemp("local"))


@pytest.fixture(scope="module")
def released(tmp_path_factory: pytest.TempPathFactory) -> Built:
    """A build of the version's tag in GitHub Actions."""
    return _build(tmp_path_factory.mktemp("released"), **RELEASE)


def _links(text: str) -> list[str]:
    """Return the targets of the links and images in a Markdown text, except those in code."""
    without_code = re.sub(r"^```.*?^```$|`[^`]*`", "", text, flags=re.DOTALL | re.MULTILINE)
    inline = re.findall(r"\]\(\s*<?([^)>\s]+)", without_code)
    return inline + re.findall(r"^\s*\[[^\]]+\]:\s*<?([^>\s]+)", without_code, re.MULTILINE)


def test_a_local_build_has_the_readme_unchanged(local: Built) -> None:
    """A build without the variables of a release has the README unchanged and no repository."""
    assert local.message.get_payload() == README
    assert local.urls == {"Homepage": "https://www.cutmeshort.com"}


@pytest.mark.parametrize(
    "changed",
    [
        {"GITHUB_REF": "refs/heads/main"},
        {"GITHUB_REF": "refs/tags/v0.0.1"},
        {"GITHUB_REPOSITORY": ""},
    ],
)
def test_only_the_build_of_the_versions_tag_names_the_repository(
    changed: dict[str, str], local: Built, tmp_path: Path
) -> None:
    """A build that is not of the version's tag does not name the workflow's repository."""
    _hatchling(ROOT, tmp_path, "wheel", **{**RELEASE, **changed})
    (wheel,) = tmp_path.glob("*.whl")
    assert _wheel_metadata(wheel) == local.metadata


def test_the_links_of_a_release_lead_to_the_files_of_its_tag(released: Built) -> None:
    """The description has no relative link, and its links to the repository lead to files."""
    description = released.message.get_payload()
    before, after = _links(README), _links(str(description))
    assert len(before) == len(after)
    changed = 0
    for old, new in zip(before, after):
        if old.startswith(("#", "http://", "https://")):
            assert new == old
        else:
            changed += 1
            view, path = re.fullmatch(rf"{REPOSITORY}/(\w+)/{TAG}/([^#]+).*", new).groups()  # type: ignore[union-attr]
            assert (ROOT / path).is_dir() if view == "tree" else (ROOT / path).is_file()
            assert new.endswith(old.removeprefix("./"))
    assert changed > 0


def test_a_release_has_the_urls_of_its_repository(released: Built) -> None:
    """A release's metadata has the URLs of source, documentation, changelog and issues."""
    assert released.urls == {
        "Homepage": "https://www.cutmeshort.com",
        "Repository": REPOSITORY,
        "Documentation": f"{REPOSITORY}/tree/{TAG}/docs",
        "Changelog": f"{REPOSITORY}/blob/{TAG}/docs/changelog.md",
        "Issues": f"{REPOSITORY}/issues",
    }
    assert (ROOT / "docs" / "changelog.md").is_file()


def test_links_of_all_forms_become_absolute() -> None:
    """Relative links and images become absolute, except in code and within the page."""
    text = """[a](docs/how-to/upgrading.md#x) [b
b](./LICENSE) [examples](examples) ![c](docs/c.png "C") [![d](d.svg)](docs)
[e](#e) [f](https://host/f) [g](mailto:g@host) [h](//host/h) `[i](i)` ``[`j`](j)``

```text
[k](k)
```

[l]: LICENSE
"""
    expected = """[a](https://host/a/b/blob/v1/docs/how-to/upgrading.md#x) [b
b](https://host/a/b/blob/v1/LICENSE) [examples](https://host/a/b/tree/v1/examples) \
![c](https://host/a/b/raw/v1/docs/c.png "C") \
[![d](https://host/a/b/raw/v1/d.svg)](https://host/a/b/tree/v1/docs)
[e](#e) [f](https://host/f) [g](mailto:g@host) [h](//host/h) `[i](i)` ``[`j`](j)``

```text
[k](k)
```

[l]: https://host/a/b/blob/v1/LICENSE
"""
    hook = runpy.run_path(str(ROOT / "docs" / "metadata_hook.py"))
    tag = hook["Tag"]("https://host/a/b", "v1")
    assert hook["make_links_absolute"](text, tag, ROOT) == expected


def test_a_wheel_built_from_the_sdist_has_its_metadata(
    local: Built, released: Built, tmp_path: Path
) -> None:
    """A wheel has the metadata of its sdist, whatever the environment of the later build is."""
    for built, variables in ((local, RELEASE), (released, {})):
        tree = tmp_path / built.sdist.parent.name
        with tarfile.open(built.sdist) as archive:
            archive.extraction_filter = getattr(tarfile, "data_filter", None)
            archive.extractall(tree)
        (tree,) = tree.iterdir()
        assert (tree / "PKG-INFO").read_text(encoding="utf-8") == built.metadata
        _hatchling(tree, tree / "dist", "wheel", **variables)
        (wheel,) = (tree / "dist").glob("*.whl")
        assert _wheel_metadata(wheel) == built.metadata
        assert _names(wheel) == _names(built.wheel)


def test_the_license_is_stated_as_an_expression(local: Built) -> None:
    """The metadata has the SPDX expression, the license file and the authors."""
    message = local.message
    assert message["Metadata-Version"] == "2.4"
    assert (message["License-Expression"], message.get_all("License-File")) == ("MIT", ["LICENSE"])
    assert message["License"] is None
    assert not [each for each in message.get_all("Classifier", []) if "License" in each]
    assert message["Author"] == "CutMeShort SDK contributors"


def _names(wheel: Path) -> set[str]:
    with zipfile.ZipFile(wheel) as archive:
        return set(archive.namelist())


def test_the_wheel_has_the_source_and_nothing_else(local: Built) -> None:
    """The wheel has both packages, including `py.typed`, and the pytest plugin, and no tests."""
    source = SOURCE.parent
    files = {
        path.relative_to(source).as_posix()
        for path in source.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert {name.partition("/")[0] for name in files} == {
        "cutmeshort",
        "cms_python",
        "pytest_cutmeshort.py",
    }
    names = _names(local.wheel)
    about = {name for name in names if ".dist-info/" in name}
    assert names - about == files
    assert {"cutmeshort/py.typed", "cms_python/py.typed"} <= files
    assert {name.partition("/")[2] for name in about} == {
        "METADATA",
        "RECORD",
        "WHEEL",
        "entry_points.txt",
        "licenses/LICENSE",
    }


def test_the_wheel_installs_the_command(local: Built) -> None:
    """The wheel installs the script `cutmeshort`."""
    with zipfile.ZipFile(local.wheel) as archive:
        text = archive.read(f"cutmeshort-{__version__}.dist-info/entry_points.txt").decode()
    assert "[console_scripts]\ncutmeshort = cutmeshort.cli:main\n" in text


INSTALLED_TEST = """
import sys
from pathlib import Path

import cutmeshort


def test_it(pytestconfig, cms_sandbox, cms_client):
    installed = Path(__file__).parent / "installed"
    plugins = pytestconfig.pluginmanager.list_plugin_distinfo()
    (found,) = [dist for plugin, dist in plugins if plugin.__name__ == "pytest_cutmeshort"]
    assert Path(found.locate_file("")) == installed
    for module in (sys.modules["pytest_cutmeshort"], cutmeshort):
        assert installed in Path(module.__file__).parents
    assert cms_client.track_lead("Sign up", "user_42", "click_1")["success"]
    cms_sandbox.assert_lead(customer_external_id="user_42")
"""


def test_pytest_finds_the_plugin_of_the_wheel(local: Built, tmp_path: Path) -> None:
    """Pytest loads the fixtures by the entry point of the installed wheel."""
    with zipfile.ZipFile(local.wheel) as archive:  # as pip does with a wheel of pure Python
        archive.extractall(tmp_path / "installed")
    (tmp_path / "test_installed.py").write_text(INSTALLED_TEST, encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "test_installed.py"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(tmp_path / "installed")},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert "1 passed" in done.stdout, done.stdout


def test_the_sdist_has_only_what_tests_and_builds_need(local: Built) -> None:
    """The sdist has the project's files, and none of other folders, such as an environment."""
    with tarfile.open(local.sdist) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    assert {
        "README.md",
        "LICENSE",
        "pyproject.toml",
        "docs/metadata_hook.py",
        "docs/changelog.md",
        "src/cutmeshort/__init__.py",
        "tests/conftest.py",
    } <= names
    folders = {name.partition("/")[0] for name in names if "/" in name}
    assert folders == {".ci", ".github", "docs", "examples", "src", "tests"}
    assert not [name for name in names if "__pycache__" in name]
