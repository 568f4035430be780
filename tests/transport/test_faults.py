"""Whatever a host does, a call ends in time with the documented result, and leaks nothing."""

import gc
import logging
import pickle
import traceback
from collections.abc import Iterator
from typing import Any

import pytest

from cutmeshort import ApiClient, ApiException, TrackingApi
from cutmeshort.operations import Operation

from ..support.events import CUSTOMER, SECRETS, TOKEN
from ..support.faults import FAULTS, Fault, configuration_of, deadline_of, inject, server_of
from ..support.operations import each_operation, payload
from ..support.results import assert_documented
from ..support.timing import SLACK


@pytest.fixture(autouse=True, scope="module")
def _no_leaked_sockets() -> Iterator[None]:
    """Collect garbage: an open socket causes a ResourceWarning, which is an error."""
    yield
    gc.collect()


@each_operation
@pytest.mark.usefixtures("no_wait")
@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_a_fault_has_the_expected_result(
    operation: Operation, fault: Fault, caplog: pytest.LogCaptureFixture
) -> None:
    """A call returns the expected result of the fault, in time, and logs no secret."""
    with server_of(fault) as server, caplog.at_level(logging.DEBUG):
        result, attempts, seconds = inject(fault, server, operation)
        assert server.wait_until_all_closed()
        assert_documented(result)
        if fault.type == "success":
            assert result["success"] is True
        else:
            assert (result["type"], result["status_code"]) == (fault.type, fault.status)
            assert result["retryable"] is fault.retryable
            assert result.get("retry_after") == fault.retry_after
            assert not [secret for secret in SECRETS if secret in result["error"]]
        assert attempts == fault.attempts
        assert len({request.raw for request in server.requests}) <= 1
        assert {request.target for request in server.requests} <= {operation.path}
        if fault.type == "timeout":
            assert seconds > deadline_of(fault) - 0.05
        assert seconds < deadline_of(fault) + SLACK
        assert not [secret for secret in SECRETS if secret in caplog.text]


# Trickling responses are left out: each takes until the deadline, and all end in the same way.
RAISING = [
    fault for fault in FAULTS if fault.type != "success" and not fault.name.startswith("trickles")
]


@each_operation
@pytest.mark.usefixtures("no_wait")
@pytest.mark.parametrize("fault", RAISING, ids=lambda fault: fault.name)
def test_the_exception_for_a_fault_contains_no_secret(operation: Operation, fault: Fault) -> None:
    """The exception's message, traceback, repr and pickle have no data of request or response."""
    event = payload(operation, **CUSTOMER)
    with server_of(fault) as server, ApiClient(configuration_of(fault, server)) as api_client:
        with pytest.raises(ApiException) as caught:
            getattr(TrackingApi(api_client), operation.name)(event)
        if fault.status == 0:
            assert server.wait_until_all_closed()  # while the client is still open
    error = caught.value
    assert (error.type, error.status) == (fault.type, fault.status)
    shown = "".join(traceback.format_exception(type(error), error, error.__traceback__))
    pickled = pickle.dumps(error)
    for text in (shown, repr(error), str(error), pickled.decode("latin-1")):
        assert not [secret for secret in SECRETS if secret in text]
    assert pickle.loads(pickled).type == error.type
    link: Any = error
    while (link := link.__cause__ or link.__context__) is not None:
        for frame, _ in traceback.walk_tb(link.__traceback__):
            assert not [secret for secret in SECRETS if secret in repr(frame.f_locals)]
    assert error.headers is None or TOKEN not in repr(error.headers)
    assert error.body is None or TOKEN not in error.body
