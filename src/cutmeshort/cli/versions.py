"""The versions that a bug report needs."""

import platform
import ssl
from importlib.metadata import version

from .._version import __version__


def versions() -> dict[str, str]:
    """Return the versions of the SDK and of what it depends on, by name."""
    return {
        "cutmeshort": __version__,
        "Python": platform.python_version(),
        "urllib3": version("urllib3"),
        "pydantic": version("pydantic"),
        "OpenSSL": ssl.OPENSSL_VERSION.partition(" ")[2],
        "platform": platform.platform(),
    }
