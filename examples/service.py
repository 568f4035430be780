"""Where the examples send their events: the CutMeShort service, or a sandbox on this machine."""

import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Optional

if TYPE_CHECKING:
    from cutmeshort.sandbox import Sandbox


@contextmanager
def service() -> "Iterator[Optional[Sandbox]]":
    """Use the service where CMS_BEARER_TOKEN is set; else run a sandbox and point to it."""
    if os.environ.get("CMS_BEARER_TOKEN"):
        yield None
        return
    from cutmeshort.sandbox import Sandbox  # an extra, for this case alone

    with Sandbox() as sandbox:
        print(f"CMS_BEARER_TOKEN is not set: using a sandbox at {sandbox.url}")
        os.environ.update(CMS_BEARER_TOKEN=sandbox.token, CMS_HOST=sandbox.url)
        yield sandbox


def new_id(kind: str) -> str:
    """Make an id that was not used before."""
    return f"{kind}_{uuid.uuid4().hex[:8]}"
