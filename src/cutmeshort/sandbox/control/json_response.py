"""JSON responses of the interface."""

import json
from typing import Any

from fastapi import Response


class Json(Response):
    """A response with JSON in ASCII, which can express any string, even an unpaired surrogate."""

    media_type = "application/json"

    def render(self, content: Any) -> bytes:
        """Return the JSON."""
        return dump_json(content).encode()


def dump_json(content: Any) -> str:
    """Return compact JSON in one line."""
    return json.dumps(content, separators=(",", ":"))
