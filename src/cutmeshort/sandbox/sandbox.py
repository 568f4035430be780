"""The sandbox: the service, its settings and its server."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import ClassVar, Optional

from typing_extensions import Self, Unpack

from ..checks import FilePath, check_count, check_path, check_token
from ..exceptions import ApiValueError
from ..models import ExternalId, LeadPayload, SalePayload
from .comparison import LeadFields, SaleFields, find_event
from .http.access import Access
from .page_methods import PageMethods
from .runner import Runner
from .state.exchanges import Received, Refused
from .state.faults import make_fault
from .state.service import Attribution
from .state.settings import SettingOptions, Settings, check_names
from .state.state import State
from .state.tokens import DEFAULT_TOKEN

_MAX_PORT = 65535


class Sandbox(PageMethods):
    """
    A local mock of the CutMeShort tracking service.

    ::

        with Sandbox() as sandbox:
            client = CMSClient(sandbox.token, sandbox.url)

    Each response has its own id in the X-Request-Id header, and in the body if its format has a
    `requestId`. A request whose body exceeds 1 MiB is rejected with 413, and its connection is
    closed.

    The log of the server is kept out of the application's log; its warnings go to stderr.

    Args:
        host: The address to listen on; loopback by default.
        port: The port to listen on; 0 selects a free one.
        token: The bearer token to accept.
        allowed_hosts: Host names, without a port, under which the sandbox responds, beside its
            address and the names of loopback. If it listens on another address than loopback, it
            responds under any IP address.
        data: A SQLite file that keeps the requests, the events, the clicks and the changed settings
            across restarts. It is read when the sandbox starts, and replaces what happened before.
            None, the default, keeps them in memory only.
        settings: The settings, which `update_settings` can change:

            - `rate_limit`: The maximum number of requests per minute, 1 to 1,000,000; more are
              rejected with 429. None, the default, means no limit. The real service accepts 60.
            - `duplicate_status`: The status of the response to an event that is already recorded:
              200, the default, or 409 with the type `duplicate_event`. No event is recorded twice.
              Once a deferred lead has associated a customer with a click, another lead of the
              customer with a `click_id` is always rejected with 409 and the type
              `duplicate_attribution`.
            - `response`: The format of the response to a valid event. `message` (the default),
              `timestamp`, `status_text`, `status_ok`, `flat` and `empty` record it;
              `success_false`, `status_false`, `status_error`, `html` and `list` reject it with
              status 200.
            - `error_status`: Rejects every event with this status, from 300 to 599. The token, the
              rate limit, the body size, the JSON and the names of its fields are checked first.
              None by default.
            - `error_response`: The format of error responses: `envelope` (the default), `message`,
              `code`, `html` or `empty`.

    Raises:
        ApiValueError: An argument is invalid.
        OSError: The server can't listen on the address or can't start, or the file can't be used or
            another sandbox uses it; raised by `with`.
        RuntimeError: The sandbox is already running; raised by `with`.
    """

    _default_settings: ClassVar[SettingOptions] = {}

    def __init__(
        self,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        token: str = DEFAULT_TOKEN,
        allowed_hosts: Sequence[str] = (),
        data: Optional[FilePath] = None,
        **settings: Unpack[SettingOptions],
    ) -> None:
        if check_count("port", port) > _MAX_PORT:
            raise ApiValueError("port must be from 0 to 65535", "port")
        self.token = check_token("token", token)
        check_names("Sandbox", settings)
        initial: SettingOptions = {**self._default_settings, **settings}
        state = State(Settings(**initial))
        runner = Runner(
            state,
            token=token,
            access=Access(host, allowed_hosts),
            host=host,
            port=port,
            data=None if data is None else check_path("data", data, "the path of a file"),
            arguments=settings,
        )
        super().__init__(state, runner)

    @property
    def leads(self) -> list[LeadPayload]:
        """The recorded leads, deferred ones included, in the order of arrival."""
        return self._state.service.events(LeadPayload)

    @property
    def sales(self) -> list[SalePayload]:
        """The recorded sales, in the order of arrival."""
        return self._state.service.events(SalePayload)

    @property
    def requests(self) -> list[Received]:
        """
        All requests to the operations, in the order of their responses.

        Each attempt of a call is a separate request. A request appears when its response is sent or
        its connection is closed. Only the newest 1,000 are kept.
        """
        return [exchange.received() for exchange in self._state.log.newest()]

    @property
    def refused(self) -> list[Refused]:
        """
        The error responses to requests to the operations, oldest first.

        Each attempt of a call is a separate request. Responses of `fail_next` are included, even if
        the event was recorded, and so are rejections with status 200. A request without a response
        is not included: the sandbox dropped the connection, or the client closed it first. Only the
        newest 1,000 are kept.
        """
        received = [exchange.received() for exchange in self._state.log.refused()]
        return [each for each in received if isinstance(each, Refused)]

    def assert_lead(self, **fields: Unpack[LeadFields]) -> LeadPayload:
        """
        Check that a lead with these fields was recorded, and return the first one.

        Args:
            fields: The fields to compare, converted as in a call; None means "not set". Without
                any, every lead matches.

        Raises:
            AssertionError: There is none. The message shows how the recorded leads differ, and
                which requests failed.
            TypeError: A lead has no field of this name.
            pydantic.ValidationError: A value is invalid, so no lead can have it.
        """
        __tracebackhide__ = True
        return find_event(LeadPayload, self.leads, fields, self.requests)

    def assert_sale(self, **fields: Unpack[SaleFields]) -> SalePayload:
        """
        Check that a sale with these fields was recorded, and return the first one.

        Arguments and exceptions are those of `assert_lead`, with the fields of a sale.
        """
        __tracebackhide__ = True
        return find_event(SalePayload, self.sales, fields, self.requests)

    def attribution(self, customer_external_id: ExternalId) -> list[Attribution]:
        """Return a customer's events by click, in the order of each click's first event."""
        return self._state.service.attribution(customer_external_id)

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
        Make the next requests fail or wait. The faults of further calls are added to a queue.

        Each attempt of a call is a request: with the default of three retries, a call fails if four
        requests do.

        Args:
            times: The number of requests.
            status: Responds with this error status, from 300 to 599.
            drop: Closes the connection without a response.
            latency: Seconds before the response, or before the connection is closed, at most
                86400. Without a status or `drop`, it only delays the normal response.
            recorded: Whether a valid event is recorded although the request fails; this happens
                before the latency. False by default; always True if there is only a latency.
            retry_after: Whole seconds in the Retry-After header of the response with `status`.

        Raises:
            ApiValueError: An argument or their combination is invalid.
        """
        if check_count("times", times) == 0:
            raise ApiValueError("times must be 1 or more", "times")
        fault = make_fault(
            status=status,
            drop=drop,
            latency=latency,
            recorded=recorded,
            retry_after=retry_after,
        )
        self._state.add_fault(fault, times)

    @contextmanager
    def outage(self, status: int = 503) -> Iterator[None]:
        """
        Make all requests fail, without recording an event, until the `with` block ends.

        Faults of `fail_next` take precedence.

        Args:
            status: Responds with this error status, from 300 to 599.

        Raises:
            ApiValueError: The status is invalid.
        """
        outer = self._state.set_outage(make_fault(status=status))
        try:
            yield
        finally:
            self._state.set_outage(outer)

    def clear_faults(self, id: Optional[int] = None) -> None:
        """
        Remove the faults of `fail_next` that no request has had yet.

        Args:
            id: Only the fault with this id, which `faults` has; it need not be pending any more.
        """
        self._state.remove_faults(id)

    def update_settings(self, **settings: Unpack[SettingOptions]) -> None:
        """
        Change some of the settings, which the class describes, until `reset`.

        Raises:
            ApiValueError: A value is invalid; no setting changes.
            TypeError: A setting does not exist.
        """
        check_names("Sandbox.update_settings", settings)
        self._state.update_settings(**settings)

    def reset(self) -> None:
        """
        Forget all events, customers' clicks, requests and pending faults.

        Earlier requests no longer count towards the rate limit. The settings are the arguments with
        which the sandbox was created, else the defaults; those in the data file are deleted.
        """
        self._state.reset()

    def __enter__(self) -> Self:
        self._runner.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._runner.stop()
