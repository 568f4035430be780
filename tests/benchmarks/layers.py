"""One call, made at each layer of the SDK; a layer's cost is the difference to the one below."""

import socket
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any
from urllib.parse import urlsplit

from cutmeshort import ApiClient, CMSClient, Configuration, LeadPayload, TrackingApi
from cutmeshort.operations import TRACK_LEAD
from cutmeshort.rest import RESTClientObject, RESTRequest
from cutmeshort.rest.attempt import Attempt, current_attempt

from .candidates import LEAD, TOKEN, Call


@contextmanager
def layers(url: str) -> Iterator[dict[str, Call]]:
    """Yield a call at each layer, the lowest one first; all send the same bytes."""
    configuration = Configuration(host=url, access_token=TOKEN)
    client = CMSClient(configuration=configuration)
    api_client = ApiClient(configuration)
    api = TrackingApi(api_client)
    lead = LeadPayload(**LEAD)  # type: ignore[arg-type]
    request = api_client._make_request(TRACK_LEAD, lead, TOKEN)
    rest = RESTClientObject(configuration)
    pool = rest._pool
    message = _message(request)
    sock = socket.create_connection(("127.0.0.1", urlsplit(url).port or 0))
    connection = pool.ConnectionCls(pool.host, pool.port)
    sock.settimeout(5.0)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # as urllib3 does

    def kernel() -> None:
        sock.sendall(message)
        assert sock.recv(2**16)

    def one_connection() -> None:
        current_attempt.set(Attempt(time.monotonic() + 60, 5.0, 5.0))
        connection.request(request.method, request.target, request.body, request.headers)
        assert connection.getresponse().data

    def rest_client() -> None:
        assert rest.request(request).content

    def api_calls() -> None:
        assert api.track_lead(lead).success

    def facade() -> None:
        assert client.track_lead(**LEAD)["success"]  # type: ignore[arg-type]

    yield {
        "the kernel: one packet each way": kernel,
        "`rest`: one connection, write the request, read the response": one_connection,
        "`urllib3` and `rest.client`: keep connections, translate errors, retry": rest_client,
        "`api_client`: encode and decode JSON, redact the token": api_calls,
        "`client`: validate the arguments, build the result": facade,
    }
    sock.close()
    connection.close()


def _message(request: RESTRequest) -> bytes:
    lines = [f"{name}: {value}" for name, value in request.headers.items()]
    lines.append(f"Content-Length: {len(request.body)}")
    return "\r\n".join(["POST /track/lead HTTP/1.1", *lines, "", ""]).encode() + request.body


def function_calls(call: Call) -> tuple[int, int]:
    """Count the Python functions of a call above urllib3, and the SDK's that urllib3 calls."""
    above = below = 0
    in_urllib3: list[bool] = []

    def count(frame: FrameType, event: str, _: Any) -> None:
        nonlocal above, below
        if event == "call":
            inside = any(in_urllib3[-1:])
            above += not inside
            below += inside and frame.f_globals["__name__"].startswith("cutmeshort.")
            in_urllib3.append(inside or frame.f_globals["__name__"].startswith("urllib3."))
        elif event == "return" and in_urllib3:
            in_urllib3.pop()

    call()
    sys.setprofile(count)
    try:
        call()
    finally:
        sys.setprofile(None)
    return above - 1, below  # the benchmark's own function is one
