"""Select where the examples send their events: to the CutMeShort service or a local sandbox."""

import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Optional

if TYPE_CHECKING:
    from cutmeshort.sandbox import Sandbox


@contextmanager
def service() -> "Iterator[Optional[Sandbox]]":
    """
    Use the service if CMS_BEARER_TOKEN is set; otherwise start a sandbox.

    Yields:
        The sandbox, whose token and address are then in the environment variables of this process.
    """
    if os.environ.get("CMS_BEARER_TOKEN"):
        yield None
        return
    from cutmeshort.sandbox import Sandbox  # needs the extra `sandbox`

    with Sandbox() as sandbox:
        print(f"CMS_BEARER_TOKEN is not set: using a sandbox at {sandbox.url}")
        os.environ.update(CMS_BEARER_TOKEN=sandbox.token, CMS_HOST=sandbox.url)
        yield sandbox


def new_id(prefix: str) -> str:
    """Return an id that has not been used before."""
    return f"{prefix}_{uuid.uuid4().hex[:8]}"
