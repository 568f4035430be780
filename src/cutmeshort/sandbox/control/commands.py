"""The JSON endpoints under /_sandbox/ that change something."""

from typing import Annotated, Any, Callable, Optional

from fastapi import APIRouter, HTTPException, Query, Response

from ..state.documents import import_document
from ..state.faults import make_fault
from ..state.state import State
from . import schemas
from .bodies import FaultBody, SettingsBody
from .errors import found
from .follower import Feed
from .json_response import Json
from .replay import Replayer
from .responses import returns


def add_routes(
    router: APIRouter, state: State, feed: Callable[[], Feed], replayer: Replayer
) -> None:
    """Add the routes to the router of all endpoints, which describes the arguments."""
    _add_faults(router, state, feed)
    _add_history(router, state, feed, replayer)


def _add_faults(router: APIRouter, state: State, feed: Callable[[], Feed]) -> None:
    def faults(status: int = 200) -> Response:
        return Json({"faults": feed().view.faults()}, status)

    @router.post(
        "/faults",
        status_code=201,
        summary="Make the next requests fail or wait",
        responses=returns(schemas.Faults, 413, 415, status=201),
    )
    async def fail_next(body: FaultBody) -> Response:
        """Add faults to the queue; return the queue."""
        arguments = body.model_dump()
        times = arguments.pop("times")
        state.add_fault(make_fault(**arguments), times)
        return faults(201)

    @router.delete("/faults", summary="Remove faults", responses=returns(schemas.Faults, 413, 415))
    async def clear_faults(
        id: Annotated[
            Optional[int],
            Query(description="Only the fault with this id, which need not be pending any more."),
        ] = None,
    ) -> Response:
        """Remove all pending faults, or one of them; return the queue."""
        state.remove_faults(id)
        return faults()

    @router.patch(
        "/settings", summary="Change settings", responses=returns(schemas.Settings, 413, 415)
    )
    async def update_settings(body: SettingsBody) -> Response:
        """Change some of the settings; return all."""
        state.update_settings(**body.model_dump(exclude_unset=True))
        return Json(vars(state.settings))


def _add_history(
    router: APIRouter, state: State, feed: Callable[[], Feed], replayer: Replayer
) -> None:
    @router.post(
        "/requests/{id}/replay",
        summary="Send a request again",
        responses=returns(schemas.TrackedRequest, 404, 409, 413, 415),
    )
    async def replay(id: str) -> Response:
        """
        Send the same bytes again, and return the new request once it has ended.

        Faults and the rate limit apply. A request whose body exceeds 16 KiB gets 409.
        """
        exchange = found(state.log.get(id), "request that is kept has this id")
        if exchange.body.truncated:
            raise HTTPException(409, "Only the first 16 KiB of the request's body are kept.")
        new = await replayer.replay(exchange)
        return Json(feed().view.summary(new))

    @router.post("/clear", summary="Clear", responses=returns(schemas.Undo, 413, 415))
    async def clear() -> Response:
        """Forget events, clicks, requests and faults, until they are restored."""
        state.clear()
        return Json({"undo": state.can_undo})

    @router.post(
        "/undo",
        summary="Undo a clear or an import",
        responses=returns(schemas.Undo, 409, 413, 415),
    )
    async def undo() -> Response:
        """Put what was removed before what has been added since."""
        if not state.undo():
            raise HTTPException(409, "There is nothing to restore.")
        return Json({"undo": state.can_undo})

    @router.post(
        "/import", summary="Import a document", responses=returns(schemas.Imported, 413, 415)
    )
    async def import_(document: dict[str, Any]) -> Response:
        """Replace everything by what an export returned, until it is undone like a clear."""
        return Json(import_document(state, document))
