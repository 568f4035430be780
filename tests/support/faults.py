"""
The faults that a host can cause, one on each line, and the result that a call must return for each.

`python -m tests.support.faults` injects each fault into a call and prints the results.
"""

import gzip
import itertools
import zlib
from collections.abc import Iterable
from typing import Any, NamedTuple, Optional

from cutmeshort import CMSClient, Configuration
from cutmeshort.operations import TRACK_LEAD, Operation

from .events import CUSTOMER, TOKEN
from .operations import track
from .server import Server, Step, accept, after_bytes, drop, never_respond, raw, reset, respond
from .timing import SLACK, timed

DEADLINE = 0.15
NOT_RETRYABLE = {501, 505}
RETRYABLE = {
    "network_error",
    "timeout",
    "invalid_response",
    "request_timeout",
    "too_early",
    "rate_limit_exceeded",
    "internal_server_error",
    "bad_gateway",
    "service_unavailable",
    "gateway_timeout",
    "server_error",
}
endless = itertools.repeat

OK = b"HTTP/1.1 200 OK\r\n"
CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n"
FINE = OK + b"Content-Length: 2\r\n\r\n{}"  # a minimal success
ECHO_TEXT = " ".join([TOKEN, *CUSTOMER.values()])
ECHO = ECHO_TEXT.encode("latin-1")
MESSAGE = OK + b"Content-Type: message/rfc822\r\n"
TINY_CHUNK = b"1;" + b"x" * 30 + b"\r\n \r\n"
BROTLI = FINE[:-6] + b"\r\nContent-Encoding: br\r\n\r\n{}more"
CHUNKS = b"2\r\n{ \r\n0A ;x=y\r\n" + b" " * 9 + b"}\r\n00\r\nX: y\r\n\r\n"
HINTS = b"HTTP/1.1 103 Early Hints\r\n"
LONG_ECHO = " ".join(["x" * (4096 - 10), *CUSTOMER.values(), "x" * 1_000_000])
FORM = OK + b"Content-Type: multipart/mixed; boundary=x\r\n"
NESTED = "[" * 995 + "]" * 995
ZIPPED = {"Content-Encoding": "gzip"}


class Fault(NamedTuple):
    """
    A fault of a host, and the expected result of a call.

    Attributes:
        name: What the host does; also the test's id.
        step: What the host does with each request.
        type: The result's `type`; `success` for a success.
        status: The result's `status_code`.
        attempts: How many attempts the call makes if three retries are permitted.
        on_connect: What the host does with each connection before its first request is read.
        retry_after: The result's `retry_after`, if it has one.
    """

    name: str
    step: Step
    type: str
    status: int = 0
    attempts: int = 1
    on_connect: Step = accept
    retry_after: Optional[float] = None

    @property
    def retryable(self) -> bool:
        """The result's `retryable`."""
        return self.type in RETRYABLE and self.status not in NOT_RETRYABLE


def failed(name: str, step: Step, on_connect: Step = accept) -> Fault:
    """Create a fault in which no complete response arrives, so that the client retries."""
    return Fault(name, step, "network_error", 0, 4, on_connect)


def slow(name: str, step: Step, on_connect: Step = accept) -> Fault:
    """Create a fault in which no complete response arrives before the deadline."""
    return Fault(name, step, "timeout", 0, 1, on_connect)


def invalid(name: str, body: Any, headers: Any = None) -> Fault:
    """Create a fault with a 2xx response that is not from the service."""
    return Fault(name, respond(body=body, headers=headers), "invalid_response", 200)


def error(
    status: int, type: str, attempts: int = 1, after: str = "", seconds: Optional[float] = None
) -> Fault:
    """Create a fault with an error status, and optionally a Retry-After with its value."""
    header = {"Retry-After": after} if after else {}
    step = respond(status, "<html>", {"Location": "/elsewhere", **header})
    name = f"{status}, Retry-After: {after[:30]}" if after else str(status)
    return Fault(name, step, type, status, attempts, retry_after=seconds)


def valid(name: str, step: Step, attempts: int = 1) -> Fault:
    """Create a fault whose response is unusual but valid."""
    return Fault(name, step, "success", 200, attempts)


def trickle(*pieces: bytes, then: bytes = b"", every: float = 0.03) -> Step:
    """Send pieces, then one small piece again and again, slowly."""
    return raw(lambda: itertools.chain(pieces, endless(then)), every=every)


def flood(*pieces: bytes, then: bytes) -> Step:
    """Send pieces, then one piece again and again, as fast as possible."""
    return raw(lambda: itertools.chain(pieces, endless(then)))


def bomb(size: int) -> bytes:
    """Return a gzip bomb: a JSON object with a string of this many zeros, compressed."""
    compressor = zlib.compressobj(9, zlib.DEFLATED, 31)
    zeros = b"0" * 2**20
    pieces = [compressor.compress(b'{"padding": "')]
    pieces += [compressor.compress(zeros) for _ in range(size >> 20)]
    return b"".join([*pieces, compressor.compress(b'"}'), compressor.flush()])


def uncompressed(size: int) -> Iterable[bytes]:
    """Yield a response whose body is a JSON object with a string of this many zeros."""
    yield OK + b'Content-Length: %d\r\n\r\n{"padding": "' % (size + 15)
    yield from itertools.repeat(b"0" * 2**16, size >> 16)
    yield b'"}'


BOMB = bomb(100 * 2**20)
FAULTS = [
    # The connection is closed or reset.
    failed("closes at once", drop, drop),
    failed("resets at once", drop, reset),
    failed("closes in the request's head", drop, after_bytes(20, drop)),
    failed("resets in the request's head", drop, after_bytes(20, reset)),
    failed("resets in the request's body", drop, after_bytes(400, reset)),
    failed("closes after the request", drop),
    failed("resets after the request", reset),
    # The response is truncated.
    failed("is truncated in the status line", raw(b"HT")),
    failed("is truncated after the status line", raw(OK)),
    failed("is truncated after a header", raw(OK + b"X: y\r\n")),
    failed("is truncated in a header's name", raw(OK + b"Content-Le")),
    failed("is truncated after an interim response", raw(b"HTTP/1.1 103 Early Hints\r\n\r\n")),
    failed("is truncated in the body", raw(OK + b'Content-Length: 99\r\n\r\n{"success": true}')),
    failed("is truncated in an error body", raw(b"HTTP/1.1 400 -\r\nContent-Length: 9\r\n\r\n{}")),
    failed("is truncated in a chunk", raw(CHUNKED + b"5\r\n{")),
    failed("is truncated in the last chunk's size", raw(CHUNKED + b"0")),
    failed("is truncated after the last chunk's size", raw(CHUNKED + b"2\r\n{}\r\n0\r\n")),
    failed("is truncated in the trailers", raw(CHUNKED + b"2\r\n{}\r\n0\r\nX: y\r\n")),
    failed("is truncated between chunks", raw(CHUNKED + b"2\r\n{}\r\n")),
    failed("ends with the head, without a length", raw(OK + b"\r\n")),
    failed("ends with the head, as an error", raw(b"HTTP/1.0 503 -\r\n\r\n"))._replace(
        type="service_unavailable", status=503
    ),
    failed("ends in a body without a length", raw(OK + b'\r\n{"success": tr')),
    failed("has a body of spaces without a length", raw(OK + b"\r\n \r\n")),
    # The response is not valid HTTP.
    failed("responds with SSH", raw(b"SSH-2.0-OpenSSH_9.2\r\n")),
    failed("responds with HTTP/2", raw(b"HTTP/2 200\r\n\r\n{}")),
    failed("has a status of letters", raw(b"HTTP/1.1 OK\r\n\r\n{}")),
    failed("has a line that is not a header", raw(OK + b"none\r\nContent-Length: 2\r\n\r\n{}")),
    failed("has a line that is not a header, in a message", raw(MESSAGE + b"none\r\n\r\n{}")),
    failed("begins its head with a continuation", raw(OK + b" X: y\r\n\r\n{}")),
    failed("has a header without a name", raw(OK + b": y\r\nContent-Length: 2\r\n\r\n{}")),
    failed("ends its head early", raw(OK + b"X: y\r\r\nContent-Length: 2\r\n\r\n{}")),
    failed("ends a message's head early", raw(MESSAGE + b"X: y\r\r\nX: z\r\n\r\n{}")),
    failed("ends a form's head early", raw(FORM + b"X: y\r\r\n--x\r\nX: z\r\n\r\n{}")),
    failed("has a line end without CR", raw(OK + b"X: y\nContent-Length: 2\r\n\r\n{}")),
    failed("has line ends without CR alone", raw(FINE.replace(b"\r", b""))),
    failed("has a CR in a header", raw(OK + b"X: a\rb\r\nContent-Length: 2\r\n\r\n{}")),
    failed("has a NUL in a header", raw(OK + b"X: a\0b\r\nContent-Length: 2\r\n\r\n{}")),
    failed("has a space before a colon", raw(OK + b"Content-Length : 2\r\n\r\n{}")),
    failed("has a space in a header's name", raw(OK + b"X y: z\r\nContent-Length: 2\r\n\r\n{}")),
    failed("has a header without a colon", raw(OK + b"X\r\nContent-Length: 2\r\n\r\n{}")),
    failed("begins with an empty line", raw(b"\r\n" + FINE)),
    failed("has an unknown minor version", raw(FINE.replace(b"1.1", b"1.x"))),
    failed("has a long minor version", raw(FINE.replace(b"1.1", b"1.11"))),
    failed("has HTTP/0.9", raw(FINE.replace(b"1.1", b"0.9"))),
    failed("has a status of two digits", raw(FINE.replace(b"200", b"20"))),
    failed("has a status of four digits", raw(FINE.replace(b"200", b"2000"))),
    failed("has a status below 100", raw(b"HTTP/1.1 099 -\r\n\r\n" + FINE)),
    failed("has a signed status", raw(FINE.replace(b"200", b"+20"))),
    failed("has a tab after the version", raw(FINE.replace(b"1.1 ", b"1.1\t"))),
    failed("has two spaces before the status", raw(FINE.replace(b"1.1 ", b"1.1  "))),
    failed("has 200 headers", raw(OK + b"X: y\r\n" * 200 + b"\r\n")),
    failed("has a header of 100 kB", raw(OK + b"X: " + b"y" * 10**5 + FINE[15:])),
    failed("has a head of 180 kB", raw(OK + (b"X: " + b"y" * 60_000 + b"\r\n") * 3 + FINE[17:])),
    failed("has two lengths", raw(OK + b"Content-Length: 2\r\nContent-Length: 3\r\n\r\n{} ")),
    failed("has a length that is not a number", raw(OK + b"Content-Length: two\r\n\r\n{}")),
    failed("has a negative length", raw(OK + b"Content-Length: -2\r\n\r\n{}")),
    failed("has a signed length", raw(OK + b"Content-Length: +2\r\n\r\n{}")),
    failed("has a length in superscript", raw(OK + b"Content-Length: \xb2\r\n\r\n{}")),
    failed("has an empty length", raw(OK + b"Content-Length: \r\n\r\n{}")),
    failed("has an unfinished list of lengths", raw(OK + b"Content-Length: 2,\r\n\r\n{}")),
    failed("has a length of 20 digits", raw(OK + b"Content-Length: %020d\r\n\r\n{}" % 2)),
    failed("has chunks in HTTP/1.0", raw(CHUNKED.replace(b"1.1", b"1.0") + b"0\r\n\r\n")),
    failed("is chunked twice", raw(CHUNKED.replace(b"ch", b"chunked, ch") + b"0\r\n\r\n")),
    failed("has a chunk size with a sign", raw(CHUNKED + b"+2\r\n{}\r\n0\r\n\r\n")),
    failed("has a chunk size with 0x", raw(CHUNKED + b"0x2\r\n{}\r\n0\r\n\r\n")),
    failed("has a chunk size with _", raw(CHUNKED + b"0_2\r\n{}\r\n0\r\n\r\n")),
    failed("has a space before a chunk size", raw(CHUNKED + b" 2\r\n{}\r\n0\r\n\r\n")),
    failed("has a chunk size of 17 digits", raw(CHUNKED + b"%017x\r\n{}\r\n0\r\n\r\n" % 2)),
    failed("has LF after a chunk size", raw(CHUNKED + b"2\n{}\r\n0\r\n\r\n")),
    failed("has LF in a chunk extension", raw(CHUNKED + b"2;a\n\r\n{}\r\n0\r\n\r\n")),
    failed("has a chunk longer than its size", raw(CHUNKED + b"1\r\n{}\r\n0\r\n\r\n")),
    failed("has a chunk without an end", raw(CHUNKED + b"2\r\n{}--0\r\n\r\n")),
    failed("has LF after a chunk", raw(CHUNKED + b"2\r\n{}\n0\r\n\r\n")),
    failed("has a malformed trailer", raw(CHUNKED + b"2\r\n{}\r\n0\r\nnone\r\n\r\n")),
    failed("has LF in a trailer", raw(CHUNKED + b"0\r\nX: y\n\r\n\r\n")),
    failed("has CR in a trailer", raw(CHUNKED + b"0\r\nX: y\rz\r\n\r\n")),
    failed("has NUL in a chunk extension", raw(CHUNKED + b"0;\0\r\n\r\n")),
    failed("has a quoted coding", raw(CHUNKED.replace(b"ch", b'x;a=", ch') + b"0\r\n\r\n")),
    failed("has an empty coding", raw(FINE.replace(b"\r\n", b"\r\nTransfer-Encoding:\r\n", 1))),
    failed("switches protocols", raw(b"HTTP/1.1 101 -\r\n\r\n" + FINE)),
    failed("has 200 trailers", raw(CHUNKED + b"0\r\n" + b"X: y\r\n" * 200 + b"\r\n")),
    failed("has a body after early hints", raw(HINTS + b"Content-Length: 2\r\n\r\n{}" + FINE)),
    failed("has a chunk without a size", raw(CHUNKED + b"xyz\r\n{}")),
    failed("has a chunk of negative size", raw(CHUNKED + b"-5\r\n{}\r\n0\r\n\r\n")),
    failed("has a chunk extension of 3 MB", raw(CHUNKED + b"1;" + b"a" * 3 * 2**20)),
    failed("sends interim responses without pause", flood(then=b"HTTP/1.1 100 -\r\n\r\n" * 999)),
    # The host echoes the request where HTTP does not allow it.
    failed("echoes in the status line", raw(ECHO + b"\r\n\r\n")),
    failed("echoes in the version", raw(b"HTTP/" + ECHO + b" 200 OK\r\n\r\n")),
    failed("echoes in the length", raw(OK + b"Content-Length: 2, " + ECHO + b"\r\n\r\n{}")),
    failed("echoes in an envelope line", raw(OK + b"X: y\r\nFrom " + ECHO + b"\r\n\r\n{}")),
    failed("echoes after the head", raw(OK + b"X: y\r\r\n" + ECHO + b"\r\n\r\n{}")),
    failed("echoes in a chunk's size", raw(CHUNKED + ECHO + b"\r\n{}\r\n0\r\n\r\n")),
    # The response is slow.
    slow("never responds", never_respond),
    slow("trickles the status line", trickle(b"H", then=b"T")),
    slow("trickles the head", trickle(OK, then=b"X: y\r\n")),
    slow("trickles a header", trickle(OK + b"X: ", then=b"y")),
    slow("trickles the body", trickle(OK + b"Content-Length: 999\r\n\r\n", then=b" ")),
    slow("trickles a body without a length", trickle(OK + b"\r\n", then=b" ")),
    slow("trickles chunks", trickle(CHUNKED, then=b"1\r\n \r\n")),
    slow("trickles a chunk's size", trickle(CHUNKED, then=b"0")),
    slow("trickles the trailers", trickle(CHUNKED + b"2\r\n{}\r\n0\r\n", then=b"X: y\r\n")),
    slow("trickles an error's body", trickle(b"HTTP/1.1 503 -\r\n\r\n", then=b" ")),
    slow("sends interim responses without end", trickle(then=b"HTTP/1.1 100 Continue\r\n\r\n")),
    slow("sends early hints without end", trickle(then=b"HTTP/1.1 103 Early Hints\r\n\r\n")),
    slow("trickles with long pauses", trickle(b"", OK, then=b"X: y\r\n", every=DEADLINE - 0.01)),
    # The response is too large.
    invalid("gzip bomb of 100 MB", BOMB, ZIPPED),
    invalid("gzip bomb in a gzip bomb", gzip.compress(BOMB), ZIPPED),
    invalid("gzip bomb, declared as gzip twice", bomb(2**21), {"Content-Encoding": "gzip, gzip"}),
    invalid("deflate bomb", zlib.compress(b"0" * 2**22), {"Content-Encoding": "deflate"}),
    Fault("body of 50 MB", raw(lambda: uncompressed(50 * 2**20)), "invalid_response", 200),
    Fault("body that never ends", flood(OK + b"\r\n", then=b" " * 2**16), "invalid_response", 200),
    Fault("chunks without end", flood(CHUNKED, then=TINY_CHUNK * 999), "network_error", 0, 4),
    valid("headers of 100 kB", respond(headers={f"X-{n}": "y" * 1200 for n in range(85)})),
    invalid("body of just over 1 MiB", b'{"message": "' + b"x" * 2**20 + b'"}'),
    Fault("chunk of 5 MB", raw(CHUNKED + b"500000\r\n"), "invalid_response", 200),
    Fault("length of 5 MB", raw(OK + b"Content-Length: 5000000\r\n\r\n"), "invalid_response", 200),
    invalid("JSON nested 100,000 deep", "[" * 10**5 + "]" * 10**5),
    invalid("JSON nested 100,000 deep in data", '{"data": ' + "[" * 10**5 + "]" * 10**5 + "}"),
    invalid("JSON nested 995 deep, and escapes", f'{{"a": "\\n", "b": {NESTED}}}'),
    invalid("JSON of 1,001 objects", '{"a": [' + "{}," * 999 + "{}]}"),
    invalid("JSON of 350,000 objects", '{"a": [' + "{}," * 349_000 + "0]}"),
    invalid("JSON of 480,000 lists", '{"a": "\\n", "b": [' + "[[[[[[]]]]]]," * 80_000 + "0]}"),
    invalid("number of 5,000 digits", '{"data": ' + "9" * 5000 + "}"),
    # The response is not from the service.
    invalid("login page", "<html>Please sign in</html>", {"Content-Type": "text/html"}),
    invalid("list", "[]"),
    invalid("string", '"text"'),
    invalid("null", "null"),
    invalid("half of a JSON object", '{"success": true'),
    invalid("two JSON objects", "{}{}"),
    invalid("invalid UTF-8", b'{"success": "\xff"}'),
    invalid("UTF-16", '{"success": true}'.encode("utf-16")),
    invalid("half of a surrogate pair", '{"message": "\\ud83d"}'),
    invalid("NaN", '{"data": NaN}'),
    invalid("truncated gzip", gzip.compress(b'{"success": false}')[:10], ZIPPED),
    invalid("gzip with trailing data", gzip.compress(b"{}") + b"more", ZIPPED),
    Fault("unknown encoding, trailing data", raw(BROTLI), "invalid_response", 200),
    invalid("gzip that is not gzip", "not zipped", ZIPPED),
    invalid("unknown encoding", "{}", {"Content-Encoding": "unknown"}),
    invalid("echo that is not JSON", ECHO),
    # The response is an error.
    error(301, "redirect"),
    error(302, "redirect"),
    error(303, "redirect"),
    error(304, "redirect"),
    error(307, "redirect"),
    error(308, "redirect"),
    error(400, "bad_request"),
    error(401, "unauthorized"),
    error(402, "api_error"),
    error(403, "forbidden"),
    error(404, "not_found"),
    error(405, "api_error"),
    error(408, "request_timeout", 4),
    error(409, "conflict"),
    error(418, "api_error"),
    error(422, "unprocessable_entity"),
    error(425, "too_early", 4),
    error(429, "rate_limit_exceeded", 4),
    error(500, "internal_server_error", 4),
    error(501, "server_error"),
    error(502, "bad_gateway", 4),
    error(503, "service_unavailable", 4),
    error(504, "gateway_timeout", 4),
    error(505, "server_error"),
    error(507, "server_error", 4),
    error(520, "server_error", 4),
    error(529, "server_error", 4),
    error(530, "server_error", 4),
    error(599, "server_error", 4),
    error(600, "api_error"),
    error(429, "rate_limit_exceeded", 4, "0", 0),
    error(429, "rate_limit_exceeded", 4, "Wed, 21 Oct 2015 07:28:00 GMT", 0),
    error(429, "rate_limit_exceeded", 4, "soon"),
    error(429, "rate_limit_exceeded", 1, "99999", 99999),
    error(503, "service_unavailable", 1, "99999", 99999),
    error(503, "service_unavailable", 1, "9" * 400, 1e9),
    error(503, "service_unavailable", 1, "Fri, 31 Dec 9999 23:59:59 GMT", 1e9),
    error(400, "bad_request", 1, "0", 0),
    Fault("400 that echoes", respond(400, json={"error": ECHO_TEXT}), "bad_request", 400),
    Fault("400 with 1 MB", respond(400, json={"error": "a@" * 500_000}), "bad_request", 400),
    Fault("400 that echoes in 1 MB", respond(400, json={"error": LONG_ECHO}), "bad_request", 400),
    Fault("400, header that echoes", respond(400, headers={"X": ECHO_TEXT}), "bad_request", 400),
    # The response is unusual, but valid.
    valid("interim responses first", raw([b"HTTP/1.1 103 Hints\r\n\r\n"] * 3 + [FINE])),
    valid("response in single bytes", raw([bytes([byte]) for byte in FINE])),
    valid("JSON of 1,000 objects", respond(body='{"a": [' + "{}," * 998 + "0]}")),
    valid("length given twice", raw(OK + b"Content-Length: 2, 2\r\nContent-Length: 2\r\n\r\n{}")),
    valid("folded header", raw(FINE.replace(b"\r\n", b"\r\nX: y\r\n z\r\n\tz\r\n", 1))),
    valid("status line without reason", raw(FINE.replace(b" OK", b" "))),
    valid("status line without reason and space", raw(FINE.replace(b" OK", b""))),
    valid("chunks with everything that is allowed", raw(CHUNKED + CHUNKS)),
    valid("header in Latin-1", raw(FINE.replace(b"\r\n", b"\r\nX: \xe9\x01\t\r\n", 1))),
    valid("body that ends with the connection", raw(OK + b'\r\n{"success": true}')),
    valid("multipart body", raw(FINE.replace(b"\r\n", b"\r\nContent-Type: multipart/x\r\n", 1))),
    valid("success that echoes", respond(json={"message": ECHO_TEXT}, headers={"X": ECHO_TEXT})),
]  # fmt: skip


class Outcome(NamedTuple):
    """The outcome of a fault: the result, the attempts that reached the host, and the seconds."""

    result: Any
    attempts: int
    seconds: float


def deadline_of(fault: Fault) -> float:
    """Return the deadline of a call to a host with this fault, in seconds."""
    return DEADLINE if fault.type == "timeout" else 10.0


def configuration_of(fault: Fault, server: Server) -> Configuration:
    """Create the configuration for calls to the server that injects the fault."""
    return Configuration(server.url, TOKEN, timeout=deadline_of(fault), request_timeout=60)


def server_of(fault: Fault) -> Server:
    """Create a server that injects the fault."""
    return Server(fault.step, on_connect=[fault.on_connect])


def attempts_at(server: Server) -> int:
    """Return how many attempts have reached the server."""
    return max(len(server.requests), server.connections)


def inject(fault: Fault, server: Server, operation: Operation = TRACK_LEAD) -> Outcome:
    """Track an event on the server that injects a fault."""

    def call() -> Outcome:
        result, seconds = timed(lambda: track(client, operation, **CUSTOMER))
        server.wait_until(lambda: attempts_at(server) >= fault.attempts, SLACK)
        return Outcome(result, attempts_at(server), seconds)

    with CMSClient(configuration=configuration_of(fault, server)) as client:
        outcome = call()
        if fault.type == "timeout" and outcome.attempts < fault.attempts:
            # On a busy machine, the short deadline may pass before the client connects.
            outcome = call()
    return outcome


def main() -> None:
    """Inject each fault into a call with the normal back-off, and print the results."""
    print("| fault | result | attempts | seconds |\n|---|---|---|---|")
    worst = 0.0
    for fault in FAULTS:
        with server_of(fault) as server:
            result, attempts, seconds = inject(fault, server)
        what = "success" if result["success"] else f"{result['type']} ({result['status_code']})"
        print(f"| {fault.name} | {what} | {attempts} | {seconds:.2f} |")
        if fault.type == "timeout":
            worst = max(worst, seconds - DEADLINE)
    print(f"\nThe worst overshoot of a deadline: {worst * 1000:.0f} ms.")


if __name__ == "__main__":
    main()
