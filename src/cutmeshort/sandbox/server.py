"""The sandbox as a server of its own, in a thread."""

import threading
from contextlib import ExitStack
from types import TracebackType
from typing import Optional

from typing_extensions import Literal, Self

from ..checks import check_count, check_seconds, check_token
from ..exceptions import ApiValueError
from ..models import LeadPayload, SalePayload
from .app import create_app
from .background import BackgroundServer, listen
from .faults import Fault, Faults
from .replies import ERRORS, REJECTIONS, SUCCESSES
from .request_log import Refused, RequestLog
from .service import Attribution, RateLimit, Service

DEFAULT_TOKEN = "sandbox-token"
_MAX_PORT = 65535

Reply = Literal[
    "message",
    "timestamp",
    "status_text",
    "status_ok",
    "flat",
    "empty",
    "success_false",
    "status_false",
    "status_error",
    "html",
    "list",
]
ErrorReply = Literal["envelope", "message", "code", "html", "empty"]


class Sandbox:
    """
    A CutMeShort tracking service on this machine.

        with Sandbox() as sandbox:
            client = CMSClient(sandbox.token, sandbox.url)

    It refuses a request whose body has more than 1 MiB with 413, and closes the connection. Each
    response has an id of its own in the X-Request-Id header, and in the body where its form has a
    `requestId`.

    What its server logs stays out of the application's log; its warnings are shown on stderr.

    Args:
        host: Address to listen on: loopback by default.
        port: Port to listen on; 0 takes a free one.
        token: The bearer token that it accepts.
        rate_limit: Requests per minute that it takes, answered beyond with 429; None takes any
            number. The service takes 60.
        duplicate_status: The status of its response to an event that it has already recorded: 200,
            or 409 with the type `duplicate_event`. The event is never recorded twice. (Another lead
            with a `click_id`, of a customer whom a deferred lead bound to a click, is always 409,
            with the type `duplicate_attribution`.)
        reply: The form of its answers to valid events. `message`, `timestamp`, `status_text`,
            `status_ok`, `flat` and `empty` mean success; `success_false`, `status_false`,
            `status_error`, `html` and `list` come with status 200 and record nothing.
        error_status: Answers every event with this status, from 300 to 599, and records nothing.
        error_reply: The form of its error answers: `envelope`, `message`, `code`, `html`, `empty`.

    Raises:
        ApiValueError: An argument can't be used.
        OSError: It can't listen there, or can't start; raised on entering.
        RuntimeError: It runs already; raised on entering.
    """

    def __init__(
        self,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        token: str = DEFAULT_TOKEN,
        rate_limit: Optional[int] = None,
        duplicate_status: Literal[200, 409] = 200,
        reply: Reply = "message",
        error_status: Optional[int] = None,
        error_reply: ErrorReply = "envelope",
    ) -> None:
        for name, value, allowed in (
            ("duplicate_status", duplicate_status, (200, 409)),
            ("reply", reply, (*SUCCESSES, *REJECTIONS)),
            ("error_reply", error_reply, tuple(ERRORS)),
        ):
            if value not in allowed:
                raise ApiValueError(f"{name} must be one of {', '.join(map(str, allowed))}", name)
        if check_count("port", port) > _MAX_PORT:
            raise ApiValueError("port must be from 0 to 65535", "port")
        _check_status("error_status", error_status)
        if rate_limit is not None and check_count("rate_limit", rate_limit) == 0:
            raise ApiValueError("rate_limit must be 1 or more, or None", "rate_limit")
        self.token = check_token("token", token)
        self._address = (host, port)
        self._service = Service(duplicate_status)
        self._rate_limit = RateLimit(rate_limit)
        app = create_app(
            self._service,
            token=token,
            rate_limit=self._rate_limit,
            reply=reply,
            error_status=error_status,
            error_reply=error_reply,
        )
        self._faults = Faults(app, error_reply)
        self._requests = RequestLog(self._faults)
        self._lock = threading.Lock()
        self._running = False
        self._exits = ExitStack()
        self._url: Optional[str] = None

    @property
    def url(self) -> str:
        """The base URL, once it listens."""
        if self._url is None:
            raise RuntimeError("the sandbox has a url once it runs: with Sandbox() as sandbox: ...")
        return self._url

    @property
    def leads(self) -> list[LeadPayload]:
        """The leads that were recorded, in the order of arrival; deferred ones among them."""
        return [event for event in self._service.payloads() if isinstance(event, LeadPayload)]

    @property
    def sales(self) -> list[SalePayload]:
        """The sales that were recorded, in the order of arrival."""
        return [event for event in self._service.payloads() if isinstance(event, SalePayload)]

    @property
    def refused(self) -> list[Refused]:
        """
        The error responses to requests to the two operations, in the order they were sent.

        Each attempt of a call is a request of its own. Responses of `fail_next` are included, even
        if the event was recorded, and so are the responses with status 200 of a `reply` that
        records nothing. A request without a response is not: the sandbox dropped the connection,
        or the client closed it first. The newest 1,000 are kept.
        """
        return self._requests.refused()

    def attribution(self, customer_external_id: str) -> list[Attribution]:
        """Return what is credited to a customer's clicks: one item for each click, in order."""
        return self._service.attribution(customer_external_id)

    def fail_next(
        self,
        times: int = 1,
        *,
        status: Optional[int] = None,
        drop: bool = False,
        latency: float = 0.0,
        recorded: Optional[bool] = None,
        retry_after: Optional[int] = None,
    ) -> None:
        """
        Let the next requests fail; more calls add to the queue.

        Each attempt of a call is a request: a call with the default of three repeats fails when
        four requests do.

        Args:
            times: How many requests.
            status: Answers with this error status, from 300 to 599.
            drop: Closes the connection without an answer.
            latency: Seconds before the answer or the closing; on its own, the true answer is late.
            recorded: Whether the event is recorded, at once, although the request fails; no by
                default. A true answer, if late, means that it is.
            retry_after: Whole seconds for the Retry-After header of a `status`.

        Raises:
            ApiValueError: An argument can't be used, or nothing is to fail.
        """
        if check_count("times", times) == 0:
            raise ApiValueError("times must be 1 or more", "times")
        _check_status("status", status)
        for name, value in (("drop", drop), ("recorded", recorded)):
            if not (isinstance(value, bool) or value is None):
                raise ApiValueError(f"{name} must be True or False", name)
        if latency:
            check_seconds("latency", latency)
        if retry_after is not None:
            check_count("retry_after", retry_after)
            if status is None:
                raise ApiValueError("retry_after goes with a status", "retry_after")
        if (status is not None and drop) or not (status is not None or drop or latency):
            raise ApiValueError("say what fails: a status, drop=True or a latency", "status")
        answered = status is None and not drop
        if answered and recorded is False:
            raise ApiValueError("a true answer means that the event is recorded", "recorded")
        fault = Fault(status, drop, latency, answered or bool(recorded), retry_after)
        self._faults.pending.extend([fault] * times)

    def reset(self) -> None:
        """
        Forget all events, all customers' clicks, what was refused, and the faults still to come.

        The rate limit starts again: earlier requests don't count.
        """
        self._service.reset()
        self._rate_limit.reset()
        self._requests.reset()
        self._faults.pending.clear()

    def __enter__(self) -> Self:
        with self._lock, ExitStack() as exits:
            if self._running:
                raise RuntimeError(
                    "this Sandbox runs already: leave its `with` block first, or make another "
                    "Sandbox"
                )
            self._running = True
            exits.callback(setattr, self, "_running", False)
            self._url = None
            host, port = self._address
            listener = listen(host, port)
            server = BackgroundServer(self._requests, listener)
            exits.callback(server.stop)
            server.start()
            name = f"[{host}]" if ":" in host else host
            self._url = f"http://{name}:{listener.getsockname()[1]}"
            self._exits = exits.pop_all()
        return self

    def __exit__(
        self,
        exc_type: Optional[type[BaseException]],
        exc_value: Optional[BaseException],
        traceback: Optional[TracebackType],
    ) -> None:
        self._exits.close()


def _check_status(name: str, value: Optional[int]) -> None:
    if value is not None and not 300 <= check_count(name, value) <= 599:
        raise ApiValueError(f"{name} must be from 300 to 599, or None", name)
