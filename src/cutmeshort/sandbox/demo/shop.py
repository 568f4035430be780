"""The calls that the demo shop makes with the SDK, and the source text of each call."""

import asyncio
import threading
from contextlib import suppress
from typing import Any, Callable, NamedTuple, Optional, Union

from starlette.requests import ClientDisconnect, Request
from typing_extensions import Literal

from ...client import CMSClient
from ...configuration import Configuration
from ...exceptions import ApiValueError
from ...money import to_minor_units
from ...operations import TRACK_LEAD, TRACK_SALE, Operation
from ...results import TrackResult
from ..http.injection import wait_for_disconnect
from ..view.calls import literal

SIGN_UP, CONFIRMATION, PURCHASE = "Sign up", "Email confirmed", "Purchase"

_CLICK = "click_id=click_id.read(request.cookies)"


class Call(NamedTuple):
    """
    A call of the SDK.

    Attributes:
        operation: The operation of the method that is called.
        key: The key by which the service deduplicates the event.
        text: The source text of the call in Python.
        make: Makes the call with a client, and may raise ApiValueError. It is None if a click is
            missing: without a click to credit, an application does not make the call.
    """

    operation: Operation
    key: tuple[Optional[str], ...]
    text: str
    make: Optional[Callable[[CMSClient], TrackResult]]


def sign_up(customer: str, click: Optional[str], *, deferred: bool) -> Call:
    """Return the call for a customer who signs up."""
    mode: Optional[Literal["deferred"]] = "deferred" if deferred else None
    return Call(
        TRACK_LEAD,
        (customer, SIGN_UP, mode),
        _source(
            TRACK_LEAD,
            _literals(SIGN_UP, customer),
            _CLICK,
            *(['mode="deferred"'] if deferred else []),
        ),
        (lambda client: client.track_lead(SIGN_UP, customer, click, mode=mode)) if click else None,
    )


def confirm(customer: str) -> Call:
    """Return the call for a customer who confirms the email address after a deferred lead."""
    return Call(
        TRACK_LEAD,
        (customer, CONFIRMATION, None),
        _source(TRACK_LEAD, _literals(CONFIRMATION, customer)),
        lambda client: client.track_lead(CONFIRMATION, customer),
    )


def pay(
    customer: str,
    invoice: str,
    amount: str,
    currency: str,
    click: Optional[str],
    *,
    deferred: bool,
) -> Call:
    """
    Return the call for a customer who pays an invoice.

    The amount is in the major unit, like "49.90". A customer with a deferred lead needs no click.
    """

    def make(client: CMSClient) -> TrackResult:
        minor_units = to_minor_units(amount, currency)
        click_id = None if deferred else click
        return client.track_sale(PURCHASE, customer, invoice, minor_units, currency, click_id)

    return Call(
        TRACK_SALE,
        (invoice,),
        _source(
            TRACK_SALE,
            _literals(PURCHASE, customer, invoice),
            f"to_minor_units({_literals(amount, currency)}), {_literals(currency)}",
            *([] if deferred else [_CLICK]),
        ),
        make if click or deferred else None,
    )


async def run(
    make: Callable[[CMSClient], TrackResult], request: Request, configuration: Configuration
) -> TrackResult:
    """
    Make a call of the SDK in a thread, because it calls the sandbox that handles the request.

    Args:
        make: Makes the call.
        request: A request whose body has been read.
        configuration: The settings of the client.

    Raises:
        ApiValueError: An argument has no value that the call could send.
        ClientDisconnect: The connection of the request is closed before the call returns, because
            the visitor leaves or the sandbox stops. The thread ends with its call.
    """
    loop = asyncio.get_running_loop()
    result: asyncio.Future[TrackResult] = loop.create_future()

    def finish(outcome: Union[TrackResult, ApiValueError]) -> None:
        if isinstance(outcome, ApiValueError):
            result.set_exception(outcome)
        else:
            result.set_result(outcome)

    def call() -> None:
        outcome: Union[TrackResult, ApiValueError]
        try:
            with CMSClient(configuration=configuration) as client:
                outcome = make(client)
        except ApiValueError as error:
            outcome = error
        with suppress(RuntimeError):  # the sandbox has stopped
            loop.call_soon_threadsafe(finish, outcome)

    thread = threading.Thread(target=call, name="cutmeshort-demo", daemon=True)
    thread.start()
    closing = asyncio.ensure_future(wait_for_disconnect(request.receive))
    first: set[asyncio.Future[Any]] = {result, closing}
    await asyncio.wait(first, return_when=asyncio.FIRST_COMPLETED)
    closing.cancel()
    if not result.done():
        raise ClientDisconnect
    thread.join()  # it has nothing left to do
    return result.result()


def _source(operation: Operation, *lines: str) -> str:
    return "\n".join([f"client.{operation.name}(", *(f"    {line}," for line in lines), ")"])


def _literals(*values: str) -> str:
    return ", ".join(map(to_python, values))


def to_python(value: object) -> str:
    """Return the source text of a JSON value, whose strings are in double quotes if possible."""
    if isinstance(value, dict):
        items = [f"{to_python(name)}: {to_python(item)}" for name, item in value.items()]
        return f"{{{', '.join(items)}}}"
    if isinstance(value, list):
        return f"[{', '.join(map(to_python, value))}]"
    return literal(value)
