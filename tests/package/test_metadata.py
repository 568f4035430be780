"""The package's version and dependencies."""

import importlib
import importlib.metadata
import re

import cutmeshort


def test_the_version_is_that_of_the_package() -> None:
    """The installed package and `__version__` have the same version."""
    assert importlib.metadata.version("cutmeshort") == cutmeshort.__version__ == "2.0.0"


def test_the_core_depends_on_four_packages() -> None:
    """The package has four dependencies, and all others belong to an extra."""
    requirements = importlib.metadata.requires("cutmeshort") or []
    core = {re.split(r"[<>=]", item)[0] for item in requirements if "extra ==" not in item}
    assert core == {"urllib3", "pydantic", "python-dateutil", "typing-extensions"}
