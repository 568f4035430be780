"""The documented keys and types of a result."""

import json
from typing import Any

from .events import TOKEN


def assert_documented(result: Any) -> None:
    """Check that a result has the documented keys and types, and no token."""
    required: dict[str, Any]
    optional: dict[str, Any] = {"duplicate": bool, "request_id": str, "warnings": list}
    if result["success"] is True:
        required = {"success": bool, "message": str, "data": dict}
    else:
        assert result["success"] is False
        required = {
            "success": bool,
            "error": str,
            "status_code": int,
            "type": str,
            "retryable": bool,
            "attempts": int,
        }
        optional.update(details=(dict, list), retry_after=float)
        assert result["error"].isprintable()
        assert 0 < len(result["error"]) <= 500 or result["type"] == "validation_error"
    assert required.keys() <= result.keys() <= {*required, *optional}
    types = {**required, **optional}
    assert all(isinstance(value, types[key]) for key, value in result.items())
    assert TOKEN not in repr(result)
    json.dumps(result)
