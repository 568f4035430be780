"""What the page of the sandbox does, as methods."""

from collections.abc import Iterator
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Optional

from ..checks import check_flag
from ..exceptions import ApiValueError
from ..models import ExternalId
from .runner import Runner
from .state.state import State

if TYPE_CHECKING:
    from .view.view import View


class PageMethods:
    """
    The methods of Sandbox that do what its page does.

    They return the same JSON values as the endpoints, which `/docs` describes.
    """

    def __init__(self, state: State, runner: Runner) -> None:
        self._state = state
        self._runner = runner

    @property
    def url(self) -> str:
        """The base URL, which is also that of the page; RuntimeError before the sandbox runs."""
        return self._runner.url

    def state(self, include_token: bool = False) -> dict[str, Any]:
        """
        Return everything except the requests: totals, chains, revenue, hints, faults and settings.

        Args:
            include_token: Whether to include the token in full if it is not the default one.
        """
        return self._view.snapshot(include_token)

    def events(
        self, after: Optional[int] = None, timeout: Optional[float] = None
    ) -> Iterator[dict[str, Any]]:
        """
        Return what changes, as dicts with `event`, `id` and `data`.

        The first event is a `snapshot`, whose data is that of `state`. An `update` has the parts of
        it that have changed, and `requests`. The iterator ends when the sandbox stops.

        Args:
            after: The id of the last event that is known. If it is one of the last 1,000 changes,
                the first event is an `update` as well.
            timeout: Seconds without a change after which the iterator ends; None for no limit.

        Raises:
            RuntimeError: The sandbox does not run; raised by the first `next`.
        """
        from .control.follower import follow

        server = self._runner.server
        yield from follow(self._runner.feed(), after, timeout, lambda: self._runner.runs(server))

    def log(self, limit: int = 1000, customer: Optional[str] = None) -> list[dict[str, Any]]:
        """
        Return the requests to the operations, newest first, each with why it was recorded or not.

        Args:
            limit: The number of requests to return, at most 1,000.
            customer: Only requests of this customer.
        """
        requests: list[dict[str, Any]] = self._view.requests(limit, customer)["requests"]
        return requests

    def request(self, request_id: str, include_token: bool = False) -> Optional[dict[str, Any]]:
        """
        Return a request and its response, with both bodies, and code to send it.

        Args:
            request_id: The request's id, as in the SDK's result.
            include_token: Whether to include the token in full if it is not the default one.

        Returns:
            None if no request that is kept has this id.
        """
        return self._view.request(request_id, include_token)

    def replay(self, request_id: str) -> dict[str, Any]:
        """
        Send the bytes of a request again, and return the new request once it has ended.

        Faults and the rate limit apply.

        Raises:
            ApiValueError: No request that is kept has this id, or its body exceeds 16 KiB, which is
                all that is kept.
            RuntimeError: The sandbox does not run, or its server fails.
        """
        server, exchange = self._runner.server, self._state.log.get(request_id)
        if exchange is None:
            raise ApiValueError("no request that is kept has this id", "request_id")
        if exchange.body.truncated:
            raise ApiValueError("only the first 16 KiB of the body are kept", "request_id")
        new = server.run_in_thread(self._runner.replayer().replay(exchange))
        return self._view.summary(new)

    def chain(self, customer_external_id: ExternalId) -> Optional[dict[str, Any]]:
        """Return the clicks and events of a customer, oldest first; None if there are none."""
        return self._view.chain(str(customer_external_id))

    @property
    def faults(self) -> list[dict[str, Any]]:
        """The pending faults of `fail_next`, oldest first."""
        return self._view.faults()

    @property
    def settings(self) -> dict[str, Any]:
        """The settings, by name."""
        return asdict(self._state.settings)

    def clear(self) -> None:
        """Forget all events, clicks, requests and pending faults, until `undo`."""
        self._state.clear()

    def undo(self) -> bool:
        """
        Restore what the last `clear` or `import_` removed, before what has been added since.

        Returns:
            False if there is nothing to restore.
        """
        return self._state.undo()

    def export(self, include_token: bool = False) -> dict[str, Any]:
        """
        Return the settings, the clicks, the events and the requests as one object for `json.dumps`.

        Args:
            include_token: Whether the Authorization headers of the requests contain the token; by
                default, it is masked.

        Raises:
            ApiValueError: An argument is invalid.
        """
        from .state.documents import export_document

        return export_document(self._state, check_flag("include_token", include_token))

    def import_(self, document: object) -> dict[str, int]:
        """
        Replace everything, including the settings, with the content of an exported document.

        The pending faults are removed. Requests that have not ended are not logged.

        Returns:
            The number of `requests` and of `events` in the document.

        Raises:
            ApiValueError: The document is invalid. The message names the place; nothing changes.
        """
        from .state.documents import import_document

        return import_document(self._state, document)

    def click(self, link: str = "link") -> str:
        """
        Follow a short link of the sandbox, and return the click id of the redirect.

        Args:
            link: The name of the link: 1 to 64 letters, digits, hyphens or underscores.

        Raises:
            ApiValueError: No link can have this name.
        """
        return self._state.follow_link(link).click_id

    @property
    def _view(self) -> "View":
        return self._runner.feed().view
