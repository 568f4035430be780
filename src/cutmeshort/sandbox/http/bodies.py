"""Request bodies of limited size."""

import asyncio
import time
from collections.abc import Mapping
from contextlib import suppress

from starlette.requests import ClientDisconnect
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from ..state.refusal import Refusal

MAX_BODY_BYTES = 1024 * 1024  # an event needs less than 20 KiB
_IDLE_SECONDS = 2.0
_DISCARD_SECONDS = 10.0


class BodyTooLarge(Refusal):
    """
    413: the request's body is larger than allowed.

    Args:
        limit: The number of bytes that are allowed.
        unread: Whether the client may still send more of the body.
    """

    def __init__(self, limit: int, unread: bool) -> None:
        super().__init__(
            413,
            f"The body must not exceed {limit} bytes.",
            headers={"Connection": "close"},
        )
        self.unread = unread


async def read_body(
    headers: Mapping[bytes, bytes], receive: Receive, limit: int = MAX_BODY_BYTES
) -> bytes:
    """
    Read the body of a request.

    Raises:
        BodyTooLarge: The body, or its Content-Length, exceeds the limit.
        ClientDisconnect: The client disconnected before the end of the body.
    """
    if int(headers.get(b"content-length", b"0")) > limit:
        raise BodyTooLarge(limit, unread=True)
    body = bytearray()
    more = True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientDisconnect
        more = message["more_body"]
        body += message["body"]
        if len(body) > limit:
            raise BodyTooLarge(limit, unread=more)
    return bytes(body)


class ClosingResponse(Response):
    """
    A response that closes the connection, though the request's body may not have been read.

    Closing a connection with unread data resets it, and the client may lose the response. So the
    rest of the body is read and discarded first, for about ten seconds at most.

    Args:
        response: The response to send; its Connection header is `close`.
        unread: Whether the client may still send more of the body.
    """

    def __init__(self, response: Response, unread: bool) -> None:
        super().__init__(response.body, response.status_code, dict(response.headers))
        self._unread = unread

    async def __call__(self, _scope: Scope, receive: Receive, send: Send) -> None:
        """Send the response, discard the rest of the body, and close the connection."""
        start = {"status": self.status_code, "headers": self.raw_headers}
        await send({"type": "http.response.start", **start})
        await send({"type": "http.response.body", "body": self.body, "more_body": True})
        with suppress(asyncio.TimeoutError):
            await _discard_body(receive, self._unread)
        await send({"type": "http.response.body"})


async def _discard_body(receive: Receive, more: bool) -> None:
    deadline = time.monotonic() + _DISCARD_SECONDS
    while more and time.monotonic() < deadline:
        message = await asyncio.wait_for(receive(), _IDLE_SECONDS)
        more = message.get("more_body", False)
