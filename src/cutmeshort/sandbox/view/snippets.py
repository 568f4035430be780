"""
Requests as a Python script and as a curl command, to send them again from elsewhere.

Both read CMS_HOST and CMS_BEARER_TOKEN from the environment, so that they contain no token.
"""

import re
from shlex import quote

from ..state.exchanges import MAX_KEPT_BODY, Exchange
from .calls import body_source, call_of, headers_of, large_body_size, literal

_EXPORTS = "# CMS_HOST and CMS_BEARER_TOKEN must be set to those of the sandbox."
TRUNCATED = (
    f"The sandbox keeps {MAX_KEPT_BODY // 1024} KiB of a body, so this request can't be copied."
)
_TOKEN_SOURCE = 'os.environ["CMS_BEARER_TOKEN"]'
_PRINTABLE = range(0x20, 0x7F)
# A terminal may act on these characters when they are pasted, even between quotes.
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


def to_python(exchange: Exchange, token: str) -> str:
    """Return a script that sends a request again: with CMSClient, if it can send it."""
    call = call_of(exchange, token)
    if call is not None:
        return (
            f"{_EXPORTS}\n"
            "from cutmeshort import CMSClient\n\n"
            "with CMSClient() as client:\n"
            f"    result = {call.source('client', '    ')}\n"
            "print(result)\n"
        )
    body = body_source(exchange)
    if body is None:
        return f"# {TRUNCATED}\n"
    request = http_request(exchange, body, token, 'os.environ["CMS_HOST"]', _TOKEN_SOURCE, "    ")
    return (
        f"{_EXPORTS}\n"
        "import os\n\n"
        "import urllib3\n\n"
        "with urllib3.PoolManager() as http:\n"
        f"    response = {request}\n"
        "print(response.status, response.data)\n"
    )


def http_request(
    exchange: Exchange, body: str, token: str, host: str, token_source: str, indent: str
) -> str:
    """
    Return an expression that sends a request with urllib3, without a retry.

    Args:
        exchange: The request.
        body: The expression of its body.
        token: The sandbox's token.
        host: The expression of the sandbox's URL.
        token_source: The expression of the sandbox's token.
        indent: The indentation of the line.
    """
    headers = [
        f"{literal(name)}: {_header_source(value, token_source) if own else literal(value)}"
        for name, value, own in headers_of(exchange, token, token_source)
    ]
    lines = [
        f"{literal(exchange.method)},",
        f"{host} + {literal(exchange.operation.path)},",
        f"body={body},",
        "headers={",
        *(f"    {line}," for line in headers),
        "},",
        "retries=False,",
    ]
    inner = "".join(f"\n{indent}    {line}" for line in lines)
    return f"http.request({inner}\n{indent})"


def _header_source(value: str, token_source: str) -> str:
    return f"{literal(value.removesuffix(token_source))} + {token_source}"


def to_curl(exchange: Exchange, token: str) -> str:
    """Return a command for a POSIX shell that sends a request again."""
    data, size = exchange.body.data, large_body_size(exchange)
    options = [f'curl -i "$CMS_HOST"{exchange.operation.path}']
    if exchange.method == "HEAD":
        options.append("--head")
    elif exchange.method != "POST":
        options.append(f"-X {quote(exchange.method)}")
    for name, value, own in headers_of(exchange, token, "$CMS_BEARER_TOKEN"):
        line = f"{name}: {_CONTROL.sub('?', value)}"
        options.append(f'-H "{line}"' if own else f"-H {quote(line)}")
    source = ""
    if size is not None:
        source = f"head -c {size} /dev/zero | "
    elif exchange.body.truncated:
        return f"# {TRUNCATED}\n"
    elif not _is_text(data):
        source = f"printf {quote(_printf_format(data))} | "
    if source:
        options.append("--data-binary @-")
    elif data or exchange.method == "POST":
        options.append(f"--data-raw {quote(data.decode())}")
    command = " \\\n  ".join(options)
    return f"{_EXPORTS}\n{source}{command}\n"


def _is_text(data: bytes) -> bool:
    """Return whether the data can be pasted into a shell as an argument."""
    try:
        return _CONTROL.search(data.decode()) is None
    except UnicodeDecodeError:
        return False


def _printf_format(data: bytes) -> str:
    special = {ord("\\"): "\\\\", ord("%"): "%%"}
    text = "".join(
        special.get(byte, chr(byte)) if byte in _PRINTABLE else f"\\{byte:03o}" for byte in data
    )
    return text.replace("-", "\\055", 1) if text.startswith("-") else text  # not an option
