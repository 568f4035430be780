"""The JSON endpoints under /_sandbox/."""

from typing import Annotated, Any, Callable, Optional

from fastapi import APIRouter, Header, HTTPException, Query, Response

from ..state.documents import export_document, import_document
from ..state.faults import make_fault
from ..state.state import State
from .bodies import FaultBody, SettingsBody
from .follower import Feed
from .json_response import Json
from .replay import Replayer, find_exchange
from .stream import EventStream

_IncludeToken = Annotated[
    bool, Query(description="Whether to include the token in full if it is not the default one.")
]


def make_router(
    state: State, token: str, feed: Callable[[], Feed], replayer: Replayer
) -> APIRouter:
    """
    Create the routes.

    Args:
        state: The sandbox's state.
        token: The sandbox's token.
        feed: Returns what renders the state.
        replayer: Sends requests again.
    """
    router = APIRouter(prefix="/_sandbox", tags=["Sandbox"])
    _add_reads(router, state, token, feed)
    _add_requests(router, state, feed, replayer)
    _add_changes(router, state, feed)
    return router


def _add_reads(router: APIRouter, state: State, token: str, feed: Callable[[], Feed]) -> None:
    @router.head("/health", include_in_schema=False)
    @router.get("/health", summary="Whether the sandbox listens")
    async def health() -> Response:
        """A program that starts the sandbox can wait until this responds."""
        return Json({"status": "ok"})

    @router.get("/state", summary="Everything except the requests")
    async def get_state(include_token: _IncludeToken = False) -> Response:
        """Return the totals, the customers' chains, the revenue, the hints, faults and settings."""
        return Json(feed().view.snapshot(include_token))

    @router.get("/events", summary="The changes as server-sent events")
    async def get_events(
        last_event_id: Annotated[
            Optional[str], Header(description="Set by a browser that reconnects.")
        ] = None,
        after: Annotated[Optional[str], Query(description="The same for a new connection.")] = None,
    ) -> Response:
        """
        Send what changes until the connection is closed.

        The id of an event is the sequence number of the state. The first event is a `snapshot`,
        which is the state as above, unless the stream can be resumed after one of the last 1,000
        changes. An `update` has only the parts of the state that have changed, and `requests`.
        """
        known = last_event_id if last_event_id is not None else after
        return EventStream(feed(), int(known) if known and known.isdecimal() else None)

    @router.get("/chain", summary="A customer's chain")
    async def get_chain(customer: str) -> Response:
        """Return the clicks and events of a customer, oldest first."""
        return Json(_found(feed().view.chain(customer), "customer has this id"))

    @router.get("/export", summary="Export everything as one document")
    async def export(include_token: _IncludeToken = False) -> Response:
        """Return the requests, events, clicks and settings as one JSON document."""
        headers = {"Content-Disposition": 'attachment; filename="cutmeshort-sandbox.json"'}
        return Json(export_document(state, token, include_token), headers=headers)

    @router.post("/import", summary="Import a document")
    async def import_(document: dict[str, Any]) -> Response:
        """Replace everything by what an export contains, until it is undone like a clear."""
        return Json(import_document(state, document))


def _add_requests(
    router: APIRouter, state: State, feed: Callable[[], Feed], replayer: Replayer
) -> None:
    @router.get("/requests", summary="The requests to the operations")
    async def get_requests(
        limit: Annotated[int, Query(ge=1, le=1000)] = 1000,
        customer: Annotated[
            Optional[str], Query(description="Only requests of this customer.")
        ] = None,
    ) -> Response:
        """Return the requests, newest first."""
        return Json(feed().view.requests(limit, customer))

    @router.get("/requests/{id}", summary="One request with its bodies")
    async def get_request(id: str, include_token: _IncludeToken = False) -> Response:
        """Return a request and its response, each body up to 16 KiB, and code to send it."""
        return Json(_found(feed().view.request(id, include_token), "request has this id"))

    @router.post("/requests/{id}/replay", summary="Send a request again")
    async def replay(id: str) -> Response:
        """Send the same bytes again; faults and the rate limit apply. Return the new request."""
        exchange = _found(find_exchange(state, id), "request has this id")
        if exchange.body.truncated:
            raise HTTPException(409, "Only the first 16 KiB of the request's body are kept.")
        new = await replayer.replay(exchange)
        return Json(_summary(feed().view, new.request_id))


def _add_changes(router: APIRouter, state: State, feed: Callable[[], Feed]) -> None:
    def faults(status: int = 200) -> Response:
        return Json({"faults": feed().view.snapshot()["faults"]}, status)

    @router.post("/faults", status_code=201, summary="Make the next requests fail or wait")
    async def add_fault(body: FaultBody) -> Response:
        """Add faults to the queue, as `Sandbox.fail_next`; return the queue."""
        arguments = body.model_dump()
        times = arguments.pop("times")
        state.add_fault(make_fault(**arguments), times)
        return faults(201)

    @router.delete("/faults", summary="Remove pending faults")
    async def remove_faults(
        id: Annotated[Optional[int], Query(description="Only the fault with this id.")] = None,
    ) -> Response:
        """Remove all faults, or one, which need not be pending any more; return the queue."""
        state.remove_faults(id)
        return faults()

    @router.patch("/settings", summary="Change settings")
    async def change_settings(body: SettingsBody) -> Response:
        """Change some settings, as `Sandbox.update_settings`; return all settings."""
        state.update_settings(**body.model_dump(exclude_unset=True))
        return Json(feed().view.snapshot()["settings"])

    @router.post("/clear", summary="Forget everything that happened")
    async def clear() -> Response:
        """Remove events, clicks, requests and faults, until they are restored."""
        state.clear()
        return Json({"undo": state.can_undo})

    @router.post("/undo", summary="Restore what the last clear or import removed")
    async def undo() -> Response:
        """Put what was removed before what has been added since."""
        if not state.undo():
            raise HTTPException(409, "There is nothing to restore.")
        return Json({"undo": state.can_undo})


def _summary(view, request_id):
    entry = view.request(request_id)
    return {k: v for k, v in entry.items() if k not in ("request", "response", "copy")}


def _found(value: Optional[Any], what: str) -> Any:
    if value is None:
        raise HTTPException(404, f"No {what}.")
    return value
