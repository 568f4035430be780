"""Whatever a host does, a call ends in time, with a true result, and tells nobody."""

import gc
import logging
import pickle
import traceback
from collections.abc import Iterator
from typing import Any

import pytest

from cutmeshort import ApiClient, ApiException, LeadPayload, TrackingApi

from ..support.events import CUSTOMER, SECRETS, TOKEN
from ..support.faults import (
    FAULTS,
    OVERSHOOT,
    Fault,
    configuration_of,
    deadline_of,
    play,
    server_of,
)
from ..support.results import assert_documented


@pytest.fixture(autouse=True, scope="module")
def _no_socket_left() -> Iterator[None]:
    """Collect what was left behind: an open socket is a ResourceWarning, and that an error."""
    yield
    gc.collect()


@pytest.mark.usefixtures("no_wait")
@pytest.mark.parametrize("fault", FAULTS, ids=lambda f: f.name)
def test_a_fault_has_its_result(fault: Fault, caplog: pytest.LogCaptureFixture) -> None:
    """The call returns the result that the table says, after its attempts, in time."""
    with server_of(fault) as server, caplog.at_level(logging.DEBUG):
        result, attempts, seconds = play(fault, server)
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
        assert {request.target for request in server.requests} <= {"/track/lead"}
        if fault.type == "timeout":
            assert seconds > deadline_of(fault) - 0.05
        assert seconds < deadline_of(fault) + OVERSHOOT
        assert not [secret for secret in SECRETS if secret in caplog.text]


# Each drip takes its time, and they all end alike.
RAISING = [f for f in FAULTS if f.type != "success" and not f.name.startswith("drips")]


@pytest.mark.usefixtures("no_wait")
@pytest.mark.parametrize("fault", RAISING, ids=lambda f: f.name)
def test_a_fault_is_an_exception_that_tells_nobody(fault: Fault) -> None:
    """Below the facade, neither text, traceback, repr nor pickle has what was sent or answered."""
    lead = LeadPayload(event_name="Sign up", click_id="c", **CUSTOMER)  # type: ignore[arg-type]
    with server_of(fault) as server, ApiClient(configuration_of(fault, server)) as api_client:
        with pytest.raises(ApiException) as caught:
            TrackingApi(api_client).track_lead(lead)
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
