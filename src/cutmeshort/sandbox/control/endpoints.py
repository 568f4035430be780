"""The JSON endpoints under /_sandbox/ that show what the sandbox knows."""

from typing import Annotated, Callable, Optional

from fastapi import APIRouter, Header, Query, Response

from ..state.documents import export_document
from ..state.state import State
from . import commands, schemas
from .errors import found
from .follower import Feed
from .json_response import Json
from .replay import Replayer
from .responses import errors_of, returns
from .stream import EventStream

_IncludeToken = Annotated[
    bool, Query(description="Whether to include the token in full if it is not the default one.")
]
_MAX_DIGITS = 18
_EVENT = 'event: update\nid: 1795000000000124\ndata: {"sequence":1795000000000124,"undo":true}\n\n'


def make_router(state: State, feed: Callable[[], Feed], replayer: Replayer) -> APIRouter:
    """
    Create the routes.

    Args:
        state: The sandbox's state.
        feed: Returns what renders the state.
        replayer: Sends requests again.
    """
    router = APIRouter(
        prefix="/_sandbox",
        tags=["Sandbox"],
        responses=errors_of(400, 403, 422),
        generate_unique_id_function=lambda route: route.name.rstrip("_"),
    )
    _add_state(router, state, feed)
    _add_requests(router, feed)
    commands.add_routes(router, state, feed, replayer)
    return router


def _add_state(router: APIRouter, state: State, feed: Callable[[], Feed]) -> None:
    @router.head("/health", include_in_schema=False)
    @router.get("/health", summary="Wait for the start", responses=returns(schemas.Health))
    async def health() -> Response:
        """Respond once the sandbox listens."""
        return Json({"status": "ok"})

    @router.get("/state", summary="All except the requests", responses=returns(schemas.State))
    async def state_(include_token: _IncludeToken = False) -> Response:
        """Return the totals, the customers' chains, the revenue, the hints, faults and settings."""
        return Json(feed().view.snapshot(include_token))

    @router.get(
        "/events",
        summary="The changes as server-sent events",
        response_class=Response,  # its type is that of the example
        responses={200: {"content": {"text/event-stream": {"example": _EVENT}}}},
    )
    async def events(
        last_event_id: Annotated[
            Optional[str],
            Header(description="The id of the last event; a browser sets it when it reconnects."),
        ] = None,
        after: Annotated[
            Optional[str], Query(description="The same, for a new connection.")
        ] = None,
    ) -> Response:
        """
        Send what changes, until the client closes the connection or the sandbox stops.

        The id of an event is the sequence number of the state. The first event is a `snapshot` with
        the whole state, unless the stream resumes after one of the last 1,000 changes. An `update`
        has the parts of the state that have changed: `chains` has only the chains that have, and
        `requests` those that are new. After a clear, an undo or an import comes a `snapshot`.
        """
        known = last_event_id if last_event_id is not None else after or ""
        is_number = known.isdecimal() and len(known) <= _MAX_DIGITS
        return EventStream(feed(), int(known) if is_number else None)

    @router.get("/chain", summary="A customer's chain", responses=returns(schemas.CopiedChain, 404))
    async def chain(customer: str) -> Response:
        """Return the clicks and events of a customer, oldest first, and code that expects them."""
        return Json(found(feed().view.chain(customer), "event of this customer is recorded"))

    @router.get(
        "/export",
        summary="Export everything",
        responses={200: {"content": {"application/json": {"schema": {"type": "object"}}}}},
    )
    async def export(include_token: _IncludeToken = False) -> Response:
        """Return the requests, events, clicks and settings as one JSON document."""
        headers = {"Content-Disposition": 'attachment; filename="cutmeshort-sandbox.json"'}
        return Json(export_document(state, include_token), headers=headers)


def _add_requests(router: APIRouter, feed: Callable[[], Feed]) -> None:
    @router.get(
        "/requests",
        summary="The requests to the operations",
        responses=returns(schemas.TrackedRequests),
    )
    async def requests(
        limit: Annotated[int, Query(ge=1, le=1000)] = 1000,
        customer: Annotated[
            Optional[str], Query(description="Only requests of this customer.")
        ] = None,
    ) -> Response:
        """Return the newest requests, newest first, without their bodies."""
        return Json(feed().view.requests(limit, customer))

    @router.get(
        "/requests/{id}",
        summary="A request with its bodies",
        responses=returns(schemas.FullRequest, 404),
    )
    async def request(id: str, include_token: _IncludeToken = False) -> Response:
        """Return a request and its response, each body up to 16 KiB, and code to send it."""
        return Json(
            found(feed().view.request(id, include_token), "request that is kept has this id")
        )
