"""Each response that the service may send gives the documented result."""

import gzip
import zlib
from typing import Any

import pytest

from cutmeshort import ApiClient, ApiException, CMSClient, Configuration, TrackingApi
from cutmeshort.sandbox import Sandbox

from ..support.events import PAYLOAD, TOKEN, client_of, lead
from ..support.server import Server, Step, raw, respond

DEFAULT = "Event tracked successfully"


@pytest.mark.parametrize(
    ("step", "message", "data"),
    [
        (
            respond(json={"success": True, "message": "Done", "data": {"id": 1}}),
            "Done",
            {"id": 1},
        ),
        (
            respond(json={"success": True, "timestamp": "2026-01-01T00:00:00Z"}),
            DEFAULT,
            {"timestamp": "2026-01-01T00:00:00Z"},
        ),
        (
            respond(json={"status": True, "data": "Lead tracked successfully"}),
            "Lead tracked successfully",
            {},
        ),
        (respond(json={"status": "ok"}), DEFAULT, {}),
        (
            respond(
                json={"message": "Stored", "requestId": "r", "deferredAssociationStored": True}
            ),
            "Stored",
            {"requestId": "r", "deferredAssociationStored": True},
        ),
        (respond(body=b""), DEFAULT, {}),
        (respond(body=b" \r\n"), DEFAULT, {}),
        (raw(b"HTTP/1.1 204 No Content\r\n\r\n"), DEFAULT, {}),
        (respond(202, json={"success": True}), DEFAULT, {}),
        (respond(json={}), DEFAULT, {}),
        (respond(json={"message": 7, "data": None}), DEFAULT, {}),
        (respond(json={"message": "", "data": ""}), DEFAULT, {}),
        (respond(json={"data": [1, 2]}), DEFAULT, {"data": [1, 2]}),
        (
            respond(json={"success": True, "message": "Done", "data": {}, "requestId": "r"}),
            "Done",
            {},
        ),
        (respond(json={"success": "yes", "status": 1, "message": "Fine"}), "Fine", {}),
        (respond(json={"success": True, "error": "none"}), DEFAULT, {"error": "none"}),
        (respond(body=b'\xef\xbb\xbf{"message": "With a BOM"}'), "With a BOM", {}),
        (
            raw(b"HTTP/1.1 204 No Content\r\nTransfer-Encoding: chunked\r\n\r\n", close=False),
            DEFAULT,
            {},
        ),
        (
            raw(
                b"HTTP/1.1 200 OK\r\nContent-Type: multipart/mixed\r\nContent-Length: 2\r\n\r\n{}",
                close=False,
            ),
            DEFAULT,
            {},
        ),
        (
            raw(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n"),
            DEFAULT,
            {},
        ),
        *(
            (
                raw(
                    f"HTTP/1.1 200 OK\r\n{coding}\r\n\r\n".encode()
                    + b'a\r\n{"data": 1\r\n1\r\n}\r\n0\r\n\r\n',
                    close=False,
                ),
                DEFAULT,
                {"data": 1},
            )
            for coding in (
                "Transfer-Encoding: chunked",
                "Transfer-Encoding: Chunked \t",
                "Transfer-Encoding:\r\n chunked",
                "Transfer-Encoding: identity, chunked",
                "Transfer-Encoding: identity\r\nTransfer-Encoding: chunked",
                "Transfer-Encoding: chunked \r\nContent-Length: 3",
            )
        ),
        (respond(body=b' \t\r\n{"message": "Spaced"}\r\n'), "Spaced", {}),
        (raw(b'HTTP/1.0 200 OK\r\n\r\n{"message": "Until the end"}'), "Until the end", {}),
        (
            respond(
                body=gzip.compress(b'{"message": "Zipped"}'), headers={"Content-Encoding": "gzip"}
            ),
            "Zipped",
            {},
        ),
        (
            respond(
                body=zlib.compress(b'{"message": "Deflated"}'),
                headers={"Content-Encoding": "Deflate"},
            ),
            "Deflated",
            {},
        ),
    ],
)
def test_a_success_in_any_format_is_a_success(step: Step, message: str, data: Any) -> None:
    """Each format of a success gives the documented message and data."""
    with Server(step) as server, client_of(server) as client:
        result = lead(client)
        assert result.pop("request_id", "r") == "r"
        assert result == {"success": True, "message": message, "data": data}
        assert len(server.requests) == 1


@pytest.mark.parametrize(
    ("body", "error"),
    [
        ({"success": False, "error": "No such click"}, "No such click"),
        ({"status": False}, "The service did not track the event."),
        ({"status": "ERROR", "message": "Nope"}, "Nope"),
        ({"status": "failed ", "message": "Nope"}, "Nope"),
        ({"error": "No such click"}, "No such click"),
        ({"error": {"text": "No"}}, "The service did not track the event."),
        ({"success": "False", "message": "Nope"}, "Nope"),
    ],
)
def test_a_2xx_that_reports_a_failure_is_an_error(body: Any, error: str) -> None:
    """A 2xx whose body reports a failure is an error with that status."""
    with Server(respond(201, json=body)) as server, client_of(server) as client:
        assert lead(client) == {
            "success": False,
            "error": error,
            "status_code": 201,
            "type": "api_error",
            "retryable": False,
            "attempts": 1,
        }


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (
            {
                "success": False,
                "error": "Wrong email",
                "type": "validation",
                "statusCode": 400,
                "details": {"customerEmail": ["wrong"]},
            },
            {
                "error": "Wrong email",
                "type": "validation",
                "details": {"customerEmail": ["wrong"]},
            },
        ),
        ({"message": "Wrong"}, {"error": "Wrong"}),
        (
            {"code": 7, "message": "Wrong", "requestId": "r"},
            {"error": "Wrong", "request_id": "r"},
        ),
        ({"error": "Wrong", "details": [{"a": 1}]}, {"error": "Wrong", "details": [{"a": 1}]}),
        ({"error": {"text": "x"}, "type": 7, "statusCode": "x", "details": "text"}, {}),
        ({"error": "", "type": "", "message": None}, {}),
        ({"error": " two\nlines \x1b[31m\t!"}, {"error": "two lines [31m !"}),
        ({"error": "x" * 1000}, {"error": "x" * 500}),
        ({"error": " \n", "message": "Wrong"}, {"error": "Wrong"}),
        ({"type": "two\nlines"}, {}),
        ([], {}),
    ],
)
def test_the_valid_parts_of_an_error_body_are_used(body: Any, expected: dict[str, Any]) -> None:
    """The result has the valid parts of an error body, and the SDK's values for the others."""
    with Server(respond(422, json=body)) as server, client_of(server) as client:
        assert lead(client) == {
            "success": False,
            "error": "The service rejected a field.",
            "status_code": 422,
            "type": "unprocessable_entity",
            "retryable": False,
            "attempts": 1,
            **expected,
        }


@pytest.mark.parametrize("status", [100, 102, 103, 199])
def test_interim_responses_are_skipped(status: int) -> None:
    """The client skips any number of 1xx responses before the response to each call."""
    interim = f"HTTP/1.1 {status} Interim\r\nLink: x\r\n\r\n".encode() * 3
    final = b"HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\n"
    steps = [raw(interim + final + b'{"message": "%05d"}' % n, close=False) for n in (1, 2)]
    with Server(*steps) as server, client_of(server) as client:
        assert lead(client)["message"] == "00001"
        assert lead(client)["message"] == "00002"
        assert server.connections == 1


@pytest.mark.parametrize("status", [204, 304])
@pytest.mark.parametrize("line", ["Content-Length: 20", "Transfer-Encoding: chunked"])
def test_a_connection_with_an_unexpected_body_is_not_reused(status: int, line: str) -> None:
    """The client does not reuse a connection after a 204 or 304 that announces a body."""
    head = raw(f"HTTP/1.1 {status} -\r\n{line}\r\n\r\n".encode(), close=False)
    with Server(head, respond(422)) as server, client_of(server) as client:
        assert lead(client)["success"] is (status == 204)
        assert lead(client)["type"] == "unprocessable_entity"
        assert server.connections == 2


@pytest.mark.parametrize("status", [200, 422])
@pytest.mark.parametrize(
    "echo", [TOKEN, TOKEN.replace("/", "\\/"), "".join(f"\\u{ord(c):04x}" for c in TOKEN)]
)
def test_the_token_is_redacted_in_a_result(status: int, echo: str) -> None:
    """The client redacts the token in a result, even if the response's JSON escapes it."""
    text = f'"message": "{echo}", "type": "{echo}"'
    details = f'{{"{echo}": ["at {echo}", 1]}}'
    body = f'{{{text}, "data": {details}, "details": {details}}}'
    with Server(respond(status, body)) as server, client_of(server) as client:
        result = lead(client)
        assert TOKEN not in str(result)
        found = result["data"] if status == 200 else result["details"]
        assert found == {"[redacted]": ["at [redacted]", 1]}


def test_the_token_is_redacted_in_headers_and_unknown_fields() -> None:
    """The client redacts the token in names and values of headers and unknown fields."""
    echo = f'{{"{TOKEN}": "{TOKEN}", "success": true, "data": {{}}}}'
    headers = {"X-Echo": f"<{TOKEN}>", "X-Other": "1"}
    with Server(respond(200, echo, headers), respond(400, echo, headers)) as server:
        configuration = Configuration(server.url, TOKEN)
        with ApiClient(configuration) as api_client:
            api = TrackingApi(api_client)
            response = api.track_lead_with_http_info(PAYLOAD)
            with pytest.raises(ApiException) as caught:
                api.track_lead(PAYLOAD)
    error = caught.value
    assert error.data is not None
    assert response.data.model_extra == {"[redacted]": "[redacted]"}
    assert error.data.model_extra == {"[redacted]": "[redacted]", "data": {}}
    for headers in (response.headers, error.headers):
        assert headers is not None
        assert (headers["x-echo"], headers["X-Other"]) == ("<[redacted]>", "1")
        assert TOKEN not in repr(headers)


@pytest.mark.parametrize("status", [302, 307])
def test_a_redirect_is_not_followed(status: int) -> None:
    """The client follows no redirect, as another origin would get the token and event data."""
    with Server() as other:
        for location in (f"{other.url}/track/lead", f"//127.0.0.1:{other.port}/"):
            step = respond(status, headers={"Location": location})
            with Server(step) as server, client_of(server) as client:
                assert lead(client)["type"] == "redirect"
        assert other.connections == 0


@pytest.mark.parametrize(
    ("name", "written"),
    [
        (" Ann  Lee", "Ann Lee"),
        ("Ann Lee", "Ann \tLee"),
        ("Ann Lee", "Ann\u00a0Lee"),
        ("Ann\x00Lee", "ann lee"),
    ],
)
def test_a_name_is_redacted_whatever_its_white_space(name: str, written: str) -> None:
    """The client redacts the customer's name in `error`, whatever white space it contains."""
    step = respond(400, json={"error": f"No: {written}."})
    with Server(step) as server, client_of(server) as client:
        assert lead(client, customer_name=name)["error"] == "No: [redacted]."


@pytest.mark.parametrize("token", ["success", "false", "error", "status", "t", "1"])
@pytest.mark.parametrize("format", ["message", "success_false", "status_error"])
def test_a_token_that_is_a_common_word_changes_no_outcome(token: str, format: Any) -> None:
    """Redacting the token never turns a failure into a success, or a success into a failure."""
    with Sandbox(token=token, response=format) as sandbox:
        with CMSClient(token, sandbox.url) as client:
            assert lead(client)["success"] is (format == "message")
        assert len(sandbox.leads) == (format == "message")


def test_the_error_message_does_not_contain_the_customers_data() -> None:
    """The client redacts the customer's data in `error`."""
    customer = {
        "customer_external_id": "user.1",
        "customer_name": "Ann Lee",
        "customer_email": "ann@example.com",
        "customer_avatar": "https://example.com/ann.png",
    }
    text = "No: " + ", ".join(customer.values()) + ", user-1, 1user.1, xANN@example.com_"
    body = {"error": text, "type": "ann@example.com"}
    with Server(respond(400, json=body)) as server, client_of(server) as client:
        result = lead(client, **customer)
    expected = "No: [redacted], [redacted], [redacted], [redacted], user-1, 1user.1, x[redacted]_"
    assert result["error"] == expected
    assert result["type"] == "bad_request"


def test_a_2xx_that_can_not_be_read_is_retryable() -> None:
    """At any depth of nesting, a 2xx that says `true` is a success or an `invalid_response`."""
    bodies = [
        b'{"success": true, "details": %b"\\n"%b}' % (b"[" * depth, b"]" * depth)
        for depth in range(100, 1000, 3)
    ]
    types = set()
    with Server(*(respond(body=body) for body in bodies)) as server, client_of(server) as client:
        for _ in bodies:
            result = lead(client)
            types.add(result.get("type"))
            assert result["success"] or result["retryable"]
    assert types == {None, "invalid_response"}
