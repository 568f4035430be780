"""
What a host can do to a call, one line for each, and what must come of it.

`python -m tests.support.faults` plays them all and prints what came of each.
"""

import gzip
import itertools
import time
import zlib
from collections.abc import Iterable
from typing import Any, NamedTuple, Optional

from cutmeshort import CMSClient, Configuration

from .events import CUSTOMER, TOKEN, lead
from .server import Server, Step, after, at_once, drop, raw, reply, reset, silence

DEADLINE = 0.3
FINAL = {501, 505}
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
OVERSHOOT = 2.0  # which a busy machine may take; `main` prints the true one
ENDLESS = itertools.repeat

OK = b"HTTP/1.1 200 OK\r\n"
CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n"
FINE = OK + b"Content-Length: 2\r\n\r\n{}"
ECHO_TEXT = " ".join([TOKEN, *CUSTOMER.values()])
ECHO = ECHO_TEXT.encode("latin-1")
MESSAGE = OK + b"Content-Type: message/rfc822\r\n"
TINY = b"1;" + b"x" * 30 + b"\r\n \r\n"
BROTLI = FINE[:-6] + b"\r\nContent-Encoding: br\r\n\r\n{}more"
CHUNKS = b"2\r\n{ \r\n0A ;x=y\r\n" + b" " * 9 + b"}\r\n00\r\nX: y\r\n\r\n"
HINTS = b"HTTP/1.1 103 Early Hints\r\n"
LONG_ECHO = " ".join(["x" * (4096 - 10), *CUSTOMER.values(), "x" * 1_000_000])
FORM = OK + b"Content-Type: multipart/mixed; boundary=x\r\n"
NESTED = "[" * 995 + "]" * 995
ZIPPED = {"Content-Encoding": "gzip"}


class Fault(NamedTuple):
    """
    What a host does, and what the result must say.

    Attributes:
        name: What it does, for people.
        step: What it does with each request.
        type: The result's `type`; `success` for a success.
        status: The result's `status_code`.
        attempts: How often it is tried, with three repeats permitted.
        greeting: What the host does with each connection before its first request is read.
        retry_after: The result's `retry_after`, if it has one.
    """

    name: str
    step: Step
    type: str
    status: int = 0
    attempts: int = 1
    greeting: Step = at_once
    retry_after: Optional[float] = None

    @property
    def retryable(self) -> bool:
        """The result's `retryable`."""
        return self.type in RETRYABLE and self.status not in FINAL


def broken(name: str, step: Step, greeting: Step = at_once) -> Fault:
    """No whole answer: tried again."""
    return Fault(name, step, "network_error", 0, 4, greeting)


def late(name: str, step: Step, greeting: Step = at_once) -> Fault:
    """No answer before the deadline."""
    return Fault(name, step, "timeout", 0, 1, greeting)


def foreign(name: str, body: Any, headers: Any = None) -> Fault:
    """An answer, but not the service's."""
    return Fault(name, reply(body=body, headers=headers), "invalid_response", 200)


def answered(
    status: int, type: str, attempts: int = 1, wish: str = "", seconds: Optional[float] = None
) -> Fault:
    """An error answer, with a wish for a wait and the seconds that it means."""
    wishes = {"Retry-After": wish} if wish else {}
    step = reply(status, "<html>", {"Location": "/elsewhere", **wishes})
    name = f"{status}, Retry-After: {wish[:30]}" if wish else str(status)
    return Fault(name, step, type, status, attempts, retry_after=seconds)


def healed(name: str, step: Step, attempts: int = 1) -> Fault:
    """A true answer, if an odd one."""
    return Fault(name, step, "success", 200, attempts)


def drip(*pieces: bytes, then: bytes = b"", every: float = 0.03) -> Step:
    """Send pieces, then one small piece for ever, slowly."""
    return raw(lambda: itertools.chain(pieces, ENDLESS(then)), every=every)


def flood(*pieces: bytes, then: bytes) -> Step:
    """Send pieces, then one piece for ever, as fast as it goes."""
    return raw(lambda: itertools.chain(pieces, ENDLESS(then)))


def bomb(size: int) -> bytes:
    """So many zeros in a JSON string, zipped."""
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    zeros = b"0" * 2**20
    pieces = [packer.compress(b'{"padding": "')]
    pieces += [packer.compress(zeros) for _ in range(size >> 20)]
    return b"".join([*pieces, packer.compress(b'"}'), packer.flush()])


def plain(size: int) -> Iterable[bytes]:
    """A JSON string of so many zeros, with its head."""
    yield OK + b'Content-Length: %d\r\n\r\n{"padding": "' % (size + 15)
    yield from itertools.repeat(b"0" * 2**16, size >> 16)
    yield b'"}'


FAULTS = [
    # The connection breaks.
    broken("closes at once", drop, drop),
    broken("resets at once", drop, reset),
    broken("closes in the request's head", drop, after(20, drop)),
    broken("resets in the request's head", drop, after(20, reset)),
    broken("resets in the request's body", drop, after(400, reset)),
    broken("closes after the request", drop),
    broken("resets after the request", reset),
    # The answer breaks off.
    broken("breaks off in the status line", raw(b"HT")),
    broken("breaks off after the status line", raw(OK)),
    broken("breaks off after a header", raw(OK + b"X: y\r\n")),
    broken("breaks off in a header's name", raw(OK + b"Content-Le")),
    broken("breaks off after an interim reply", raw(b"HTTP/1.1 103 Early Hints\r\n\r\n")),
    broken("breaks off in the body", raw(OK + b'Content-Length: 99\r\n\r\n{"success": true}')),
    broken("breaks off in an error's body", raw(b"HTTP/1.1 400 -\r\nContent-Length: 9\r\n\r\n{}")),
    broken("breaks off in a chunk", raw(CHUNKED + b"5\r\n{")),
    broken("breaks off in the last chunk's size", raw(CHUNKED + b"0")),
    broken("breaks off after the last chunk's size", raw(CHUNKED + b"2\r\n{}\r\n0\r\n")),
    broken("breaks off in the trailers", raw(CHUNKED + b"2\r\n{}\r\n0\r\nX: y\r\n")),
    broken("breaks off between chunks", raw(CHUNKED + b"2\r\n{}\r\n")),
    broken("ends with the head, without a length", raw(OK + b"\r\n")),
    broken("ends with the head, as an error", raw(b"HTTP/1.0 503 -\r\n\r\n"))._replace(
        type="service_unavailable", status=503
    ),
    broken("ends in a body without a length", raw(OK + b'\r\n{"success": tr')),
    broken("ends before a body of spaces", raw(OK + b"\r\n \r\n")),
    # The answer is no HTTP.
    broken("speaks SSH", raw(b"SSH-2.0-OpenSSH_9.2\r\n")),
    broken("speaks HTTP/2", raw(b"HTTP/2 200\r\n\r\n{}")),
    broken("has a status of letters", raw(b"HTTP/1.1 OK\r\n\r\n{}")),
    broken("has a line that is no header", raw(OK + b"none\r\nContent-Length: 2\r\n\r\n{}")),
    broken("has a line that is no header, in a message", raw(MESSAGE + b"none\r\n\r\n{}")),
    broken("begins its head with a continuation", raw(OK + b" X: y\r\n\r\n{}")),
    broken("has a header without a name", raw(OK + b": y\r\nContent-Length: 2\r\n\r\n{}")),
    broken("ends its head early", raw(OK + b"X: y\r\r\nContent-Length: 2\r\n\r\n{}")),
    broken("ends a message's head early", raw(MESSAGE + b"X: y\r\r\nX: z\r\n\r\n{}")),
    broken("ends a form's head early", raw(FORM + b"X: y\r\r\n--x\r\nX: z\r\n\r\n{}")),
    broken("has a line end without CR", raw(OK + b"X: y\nContent-Length: 2\r\n\r\n{}")),
    broken("has line ends without CR alone", raw(FINE.replace(b"\r", b""))),
    broken("has a CR in a header", raw(OK + b"X: a\rb\r\nContent-Length: 2\r\n\r\n{}")),
    broken("has a NUL in a header", raw(OK + b"X: a\0b\r\nContent-Length: 2\r\n\r\n{}")),
    broken("has a space before a colon", raw(OK + b"Content-Length : 2\r\n\r\n{}")),
    broken("has a header's name in two words", raw(OK + b"X y: z\r\nContent-Length: 2\r\n\r\n{}")),
    broken("has a header without a colon", raw(OK + b"X\r\nContent-Length: 2\r\n\r\n{}")),
    broken("begins with an empty line", raw(b"\r\n" + FINE)),
    broken("has an unknown minor version", raw(FINE.replace(b"1.1", b"1.x"))),
    broken("has a long minor version", raw(FINE.replace(b"1.1", b"1.11"))),
    broken("has HTTP/0.9", raw(FINE.replace(b"1.1", b"0.9"))),
    broken("has a status of two digits", raw(FINE.replace(b"200", b"20"))),
    broken("has a status of four digits", raw(FINE.replace(b"200", b"2000"))),
    broken("has a status below 100", raw(b"HTTP/1.1 099 -\r\n\r\n" + FINE)),
    broken("has a signed status", raw(FINE.replace(b"200", b"+20"))),
    broken("has a tab after the version", raw(FINE.replace(b"1.1 ", b"1.1\t"))),
    broken("has two spaces before the status", raw(FINE.replace(b"1.1 ", b"1.1  "))),
    broken("has 200 headers", raw(OK + b"X: y\r\n" * 200 + b"\r\n")),
    broken("has a header of 100 kB", raw(OK + b"X: " + b"y" * 10**5 + FINE[15:])),
    broken("has a head of 180 kB", raw(OK + (b"X: " + b"y" * 60_000 + b"\r\n") * 3 + FINE[17:])),
    broken("has two lengths", raw(OK + b"Content-Length: 2\r\nContent-Length: 3\r\n\r\n{} ")),
    broken("has no number for a length", raw(OK + b"Content-Length: two\r\n\r\n{}")),
    broken("has a negative length", raw(OK + b"Content-Length: -2\r\n\r\n{}")),
    broken("has a signed length", raw(OK + b"Content-Length: +2\r\n\r\n{}")),
    broken("has a length in superscript", raw(OK + b"Content-Length: \xb2\r\n\r\n{}")),
    broken("has an empty length", raw(OK + b"Content-Length: \r\n\r\n{}")),
    broken("has half a list of lengths", raw(OK + b"Content-Length: 2,\r\n\r\n{}")),
    broken("has a length of 20 digits", raw(OK + b"Content-Length: %020d\r\n\r\n{}" % 2)),
    broken("has chunks in HTTP/1.0", raw(CHUNKED.replace(b"1.1", b"1.0") + b"0\r\n\r\n")),
    broken("is chunked twice", raw(CHUNKED.replace(b"ch", b"chunked, ch") + b"0\r\n\r\n")),
    broken("has a chunk size with a sign", raw(CHUNKED + b"+2\r\n{}\r\n0\r\n\r\n")),
    broken("has a chunk size with 0x", raw(CHUNKED + b"0x2\r\n{}\r\n0\r\n\r\n")),
    broken("has a chunk size with _", raw(CHUNKED + b"0_2\r\n{}\r\n0\r\n\r\n")),
    broken("has a space before a chunk size", raw(CHUNKED + b" 2\r\n{}\r\n0\r\n\r\n")),
    broken("has a chunk size of 17 digits", raw(CHUNKED + b"%017x\r\n{}\r\n0\r\n\r\n" % 2)),
    broken("has LF after a chunk size", raw(CHUNKED + b"2\n{}\r\n0\r\n\r\n")),
    broken("has LF in a chunk extension", raw(CHUNKED + b"2;a\n\r\n{}\r\n0\r\n\r\n")),
    broken("has a chunk longer than its size", raw(CHUNKED + b"1\r\n{}\r\n0\r\n\r\n")),
    broken("has a chunk without an end", raw(CHUNKED + b"2\r\n{}--0\r\n\r\n")),
    broken("has LF after a chunk", raw(CHUNKED + b"2\r\n{}\n0\r\n\r\n")),
    broken("has a malformed trailer", raw(CHUNKED + b"2\r\n{}\r\n0\r\nnone\r\n\r\n")),
    broken("has LF in a trailer", raw(CHUNKED + b"0\r\nX: y\n\r\n\r\n")),
    broken("has CR in a trailer", raw(CHUNKED + b"0\r\nX: y\rz\r\n\r\n")),
    broken("has NUL in a chunk extension", raw(CHUNKED + b"0;\0\r\n\r\n")),
    broken("has a quoted coding", raw(CHUNKED.replace(b"ch", b'x;a=", ch') + b"0\r\n\r\n")),
    broken("has an empty coding", raw(FINE.replace(b"\r\n", b"\r\nTransfer-Encoding:\r\n", 1))),
    broken("switches protocols", raw(b"HTTP/1.1 101 -\r\n\r\n" + FINE)),
    broken("has 200 trailers", raw(CHUNKED + b"0\r\n" + b"X: y\r\n" * 200 + b"\r\n")),
    broken("has a body after early hints", raw(HINTS + b"Content-Length: 2\r\n\r\n{}" + FINE)),
    broken("has a chunk of no size", raw(CHUNKED + b"xyz\r\n{}")),
    broken("has a chunk of negative size", raw(CHUNKED + b"-5\r\n{}\r\n0\r\n\r\n")),
    broken("has a chunk extension of 3 MB", raw(CHUNKED + b"1;" + b"a" * 3 * 2**20)),
    broken("sends interim replies as fast as it can", flood(then=b"HTTP/1.1 100 -\r\n\r\n" * 999)),
    # What was sent comes back in the wrong place.
    broken("echoes in the status line", raw(ECHO + b"\r\n\r\n")),
    broken("echoes in the version", raw(b"HTTP/" + ECHO + b" 200 OK\r\n\r\n")),
    broken("echoes in the length", raw(OK + b"Content-Length: 2, " + ECHO + b"\r\n\r\n{}")),
    broken("echoes in an envelope's line", raw(OK + b"X: y\r\nFrom " + ECHO + b"\r\n\r\n{}")),
    broken("echoes below the head", raw(OK + b"X: y\r\r\n" + ECHO + b"\r\n\r\n{}")),
    broken("echoes in a chunk's size", raw(CHUNKED + ECHO + b"\r\n{}\r\n0\r\n\r\n")),
    # The answer takes its time.
    late("never answers", silence),
    late("drips in the status line", drip(b"H", then=b"T")),
    late("drips in the head", drip(OK, then=b"X: y\r\n")),
    late("drips in a header", drip(OK + b"X: ", then=b"y")),
    late("drips in the body", drip(OK + b"Content-Length: 999\r\n\r\n", then=b" ")),
    late("drips in a body of no length", drip(OK + b"\r\n", then=b" ")),
    late("drips chunks", drip(CHUNKED, then=b"1\r\n \r\n")),
    late("drips in a chunk's size", drip(CHUNKED, then=b"0")),
    late("drips in the trailers", drip(CHUNKED + b"2\r\n{}\r\n0\r\n", then=b"X: y\r\n")),
    late("drips in an error's body", drip(b"HTTP/1.1 503 -\r\n\r\n", then=b" ")),
    late("sends interim replies for ever", drip(then=b"HTTP/1.1 100 Continue\r\n\r\n")),
    late("sends early hints for ever", drip(then=b"HTTP/1.1 103 Early Hints\r\n\r\n")),
    late("drips just below the deadline", drip(b"", OK, then=b"X: y\r\n", every=0.29)),
    # The answer is too much.
    foreign("gzip bomb of 100 MB", bomb(100 * 2**20), ZIPPED),
    foreign("gzip bomb in a gzip bomb", gzip.compress(bomb(100 * 2**20)), ZIPPED),
    foreign("gzip bomb, called gzip twice", bomb(2**21), {"Content-Encoding": "gzip, gzip"}),
    foreign("deflate bomb", zlib.compress(b"0" * 2**22), {"Content-Encoding": "deflate"}),
    Fault("plain body of 50 MB", raw(lambda: plain(50 * 2**20)), "invalid_response", 200),
    Fault("body that never ends", flood(OK + b"\r\n", then=b" " * 2**16), "invalid_response", 200),
    Fault("chunks for ever", flood(CHUNKED, then=TINY * 999), "network_error", 0, 4),
    healed("headers of 100 kB", reply(headers={f"X-{n}": "y" * 1200 for n in range(85)})),
    foreign("body of 1 MiB and a bit", b'{"message": "' + b"x" * 2**20 + b'"}'),
    Fault("chunk of 5 MB", raw(CHUNKED + b"500000\r\n"), "invalid_response", 200),
    Fault("length of 5 MB", raw(OK + b"Content-Length: 5000000\r\n\r\n"), "invalid_response", 200),
    foreign("JSON nested 100,000 deep", "[" * 10**5 + "]" * 10**5),
    foreign("JSON nested 100,000 deep in data", '{"data": ' + "[" * 10**5 + "]" * 10**5 + "}"),
    foreign("JSON nested 995 deep, and escapes", f'{{"a": "\\n", "b": {NESTED}}}'),
    foreign("JSON of 1,001 objects", '{"a": [' + "{}," * 999 + "{}]}"),
    foreign("JSON of 350,000 objects", '{"a": [' + "{}," * 349_000 + "0]}"),
    foreign("JSON of 480,000 lists", '{"a": "\\n", "b": [' + "[[[[[[]]]]]]," * 80_000 + "0]}"),
    foreign("number of 5,000 digits", '{"data": ' + "9" * 5000 + "}"),
    # The answer is somebody else's.
    foreign("login page", "<html>Please sign in</html>", {"Content-Type": "text/html"}),
    foreign("list", "[]"),
    foreign("text", '"text"'),
    foreign("null", "null"),
    foreign("half of a JSON object", '{"success": true'),
    foreign("two JSON objects", "{}{}"),
    foreign("broken UTF-8", b'{"success": "\xff"}'),
    foreign("UTF-16", '{"success": true}'.encode("utf-16")),
    foreign("half of a surrogate pair", '{"message": "\\ud83d"}'),
    foreign("NaN", '{"data": NaN}'),
    foreign("cut gzip", gzip.compress(b'{"success": false}')[:10], ZIPPED),
    foreign("gzip with something behind it", gzip.compress(b"{}") + b"more", ZIPPED),
    Fault("unknown encoding, and more", raw(BROTLI), "invalid_response", 200),
    foreign("gzip that is none", "not zipped", ZIPPED),
    foreign("unknown encoding", "{}", {"Content-Encoding": "unknown"}),
    foreign("echo that is no JSON", ECHO),
    # The answer is an error.
    answered(301, "redirect"),
    answered(302, "redirect"),
    answered(303, "redirect"),
    answered(304, "redirect"),
    answered(307, "redirect"),
    answered(308, "redirect"),
    answered(400, "bad_request"),
    answered(401, "unauthorized"),
    answered(402, "api_error"),
    answered(403, "forbidden"),
    answered(404, "not_found"),
    answered(405, "api_error"),
    answered(408, "request_timeout", 4),
    answered(409, "conflict"),
    answered(418, "api_error"),
    answered(422, "unprocessable_entity"),
    answered(425, "too_early", 4),
    answered(429, "rate_limit_exceeded", 4),
    answered(500, "internal_server_error", 4),
    answered(501, "server_error"),
    answered(502, "bad_gateway", 4),
    answered(503, "service_unavailable", 4),
    answered(504, "gateway_timeout", 4),
    answered(505, "server_error"),
    answered(507, "server_error", 4),
    answered(520, "server_error", 4),
    answered(529, "server_error", 4),
    answered(530, "server_error", 4),
    answered(599, "server_error", 4),
    answered(600, "api_error"),
    answered(429, "rate_limit_exceeded", 4, "0", 0),
    answered(429, "rate_limit_exceeded", 4, "Wed, 21 Oct 2015 07:28:00 GMT", 0),
    answered(429, "rate_limit_exceeded", 4, "soon"),
    answered(429, "rate_limit_exceeded", 1, "99999", 99999),
    answered(503, "service_unavailable", 1, "99999", 99999),
    answered(503, "service_unavailable", 1, "9" * 400, 1e9),
    answered(503, "service_unavailable", 1, "Fri, 31 Dec 9999 23:59:59 GMT", 1e9),
    answered(400, "bad_request", 1, "0", 0),
    Fault("400 that echoes", reply(400, json={"error": ECHO_TEXT}), "bad_request", 400),
    Fault("400 with 1 MB of text", reply(400, json={"error": "a@" * 500_000}), "bad_request", 400),
    Fault("400 that echoes in 1 MB", reply(400, json={"error": LONG_ECHO}), "bad_request", 400),
    Fault("400 that echoes in its head", reply(400, headers={"X": ECHO_TEXT}), "bad_request", 400),
    # All is well, if oddly so.
    healed("interim replies before the answer", raw([b"HTTP/1.1 103 Hints\r\n\r\n"] * 3 + [FINE])),
    healed("answer in single bytes", raw([bytes([byte]) for byte in FINE])),
    healed("JSON of 1,000 objects", reply(body='{"a": [' + "{}," * 998 + "0]}")),
    healed("length, twice", raw(OK + b"Content-Length: 2, 2\r\nContent-Length: 2\r\n\r\n{}")),
    healed("folded header", raw(FINE.replace(b"\r\n", b"\r\nX: y\r\n z\r\n\tz\r\n", 1))),
    healed("status line without reason", raw(FINE.replace(b" OK", b" "))),
    healed("status line without reason and space", raw(FINE.replace(b" OK", b""))),
    healed("chunks with all that they may have", raw(CHUNKED + CHUNKS)),
    healed("header of Latin-1", raw(FINE.replace(b"\r\n", b"\r\nX: \xe9\x01\t\r\n", 1))),
    healed("body that ends with the connection", raw(OK + b'\r\n{"success": true}')),
    healed("multipart answer", raw(FINE.replace(b"\r\n", b"\r\nContent-Type: multipart/x\r\n", 1))),
    healed("success that echoes", reply(json={"message": ECHO_TEXT}, headers={"X": ECHO_TEXT})),
]  # fmt: skip


class Outcome(NamedTuple):
    """What came of a fault: the result, attempts on the wire, and seconds."""

    result: Any
    attempts: int
    seconds: float


def deadline_of(fault: Fault) -> float:
    """Seconds that the call gets."""
    return DEADLINE if fault.type == "timeout" else 10.0


def configuration_of(fault: Fault, server: Server) -> Configuration:
    """Settings for a call on the server that plays a fault."""
    return Configuration(server.url, TOKEN, timeout=deadline_of(fault))


def server_of(fault: Fault) -> Server:
    """Make a server that plays a fault."""
    return Server(fault.step, greetings=[fault.greeting])


def play(fault: Fault, server: Server) -> Outcome:
    """Track a lead on the server that plays a fault."""
    with CMSClient(configuration=configuration_of(fault, server)) as client:
        begin = time.monotonic()
        result = lead(client, **CUSTOMER)
        seconds = time.monotonic() - begin
    return Outcome(result, max(len(server.requests), server.connections), seconds)


def main() -> None:
    """Play all, with the waits of the back-off, and print what came of each."""
    print("| fault | result | attempts | seconds |\n|---|---|---|---|")
    worst = 0.0
    for fault in FAULTS:
        with server_of(fault) as server:
            result, attempts, seconds = play(fault, server)
        what = "success" if result["success"] else f"{result['type']} ({result['status_code']})"
        print(f"| {fault.name} | {what} | {attempts} | {seconds:.2f} |")
        if fault.type == "timeout":
            worst = max(worst, seconds - DEADLINE)
    print(f"\nThe worst overshoot of a deadline: {worst * 1000:.0f} ms.")


if __name__ == "__main__":
    main()
