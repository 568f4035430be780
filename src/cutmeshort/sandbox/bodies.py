"""Request bodies of limited length."""

import asyncio
import time
from contextlib import suppress

from fastapi import Request, Response
from starlette.requests import ClientDisconnect
from starlette.types import Receive, Scope, Send

from ..exceptions import error_spec
from .service import Refusal

MAX_BODY_BYTES = 1024 * 1024  # an event has less than 20 KiB
_IDLE_SECONDS = 2.0
_DISCARD_SECONDS = 10.0


class BodyTooLarge(Refusal):
    """
    413: the request's body has more than MAX_BODY_BYTES.

    Attributes:
        unread: Whether the client may have more of it to send.
    """

    def __init__(self, unread: bool) -> None:
        super().__init__(
            413,
            error_spec(413).type,
            f"The body must not have more than {MAX_BODY_BYTES} bytes.",
            headers={"Connection": "close"},
        )
        self.unread = unread


class LimitedRequest(Request):
    """A request that keeps no more than MAX_BODY_BYTES of its body in memory."""

    async def body(self) -> bytes:
        """
        Return the body.

        Raises:
            BodyTooLarge: It is longer, or the client announces that it will be.
            ClientDisconnect: The client sent only a part of it.
        """
        if not hasattr(self, "_body"):
            if int(self.headers.get("Content-Length", "0")) > MAX_BODY_BYTES:
                raise BodyTooLarge(unread=True)
            self._body = await self._read()
        return self._body

    async def _read(self) -> bytes:
        body = bytearray()
        more = True
        while more:
            message = await self.receive()
            if message["type"] == "http.disconnect":
                raise ClientDisconnect
            more = message["more_body"]
            body += message["body"]
            if len(body) > MAX_BODY_BYTES:
                raise BodyTooLarge(unread=more)
        return bytes(body)


class LastResponse(Response):
    """
    A response before which the body was not read to its end.

    Closing a connection with unread data resets it, and the client may lose the response. So the
    client has some seconds to send the rest, which is discarded.

    Args:
        response: What to send; its Connection header is `close`.
        unread: Whether the client may have more to send.
    """

    def __init__(self, response: Response, unread: bool) -> None:
        super().__init__(response.body, response.status_code, dict(response.headers))
        self._unread = unread

    async def __call__(self, _scope: Scope, receive: Receive, send: Send) -> None:
        """Send the response, discard the rest of the body, and close the connection."""
        head = {"status": self.status_code, "headers": self.raw_headers}
        await send({"type": "http.response.start", **head})
        await send({"type": "http.response.body", "body": self.body, "more_body": True})
        with suppress(asyncio.TimeoutError):
            await _discard(receive, self._unread)
        await send({"type": "http.response.body"})


async def _discard(receive: Receive, more: bool) -> None:
    end = time.monotonic() + _DISCARD_SECONDS
    while more and time.monotonic() < end:
        message = await asyncio.wait_for(receive(), _IDLE_SECONDS)
        more = message.get("more_body", False)
