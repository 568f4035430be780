"""The headers of a request."""

import sys
from collections.abc import Mapping
from urllib.parse import SplitResult

from urllib3 import HTTPHeaderDict

from ._version import __version__
from .configuration import STANDARD_PORTS


def sdk_headers(url: SplitResult) -> dict[str, str]:
    """Return the SDK's own headers for requests to a base URL."""
    version = "{}.{}.{}".format(*sys.version_info)
    python = f"{sys.implementation.name} {version}; {sys.platform}"
    return {
        "Host": _host_header(url),
        "Accept-Encoding": "identity",  # responses are small
        "Accept": "application/json",
        "Content-Type": "application/json",
        "User-Agent": f"cutmeshort-python/{__version__} ({python})",
        "X-CMS-SDK-Version": __version__,
        "X-CMS-SDK-Runtime": "python",
    }


def merge_headers(headers: Mapping[str, str], added: Mapping[str, str]) -> dict[str, str]:
    """Return `headers` with `added`, which replace headers of the same case-insensitive name."""
    merged = HTTPHeaderDict(headers)
    for name, value in added.items():
        merged[name] = value
    return dict(merged)


def _host_header(url: SplitResult) -> str:
    name = (url.hostname or "").rstrip(".")
    name = f"[{name}]" if ":" in name else name
    return name if url.port in (None, STANDARD_PORTS[url.scheme]) else f"{name}:{url.port}"
