"""Name look-ups with a timeout, which `socket.getaddrinfo` does not have."""

import os
import socket
import threading
from typing import Any, Union

from .checks import parse_address

# As socket.getaddrinfo returns it: family, type, protocol, canonical name, address.
AddressInfo = tuple[Any, Any, int, str, tuple[Any, ...]]


def resolve(host: str, port: int, timeout: float) -> list[AddressInfo]:
    """
    Return the addresses of a host. A name is looked up in a thread, for which the caller waits.

    The name is in ASCII, the timeout in seconds. If no thread can be started, there is no timeout.

    Raises:
        socket.gaierror: There is no such name, or the look-up failed.
        socket.timeout: The look-up took too long.
    """
    if parse_address(host) is not None:
        return _look_up(host, port)
    look_up = _look_ups.get((host, port))
    if look_up is None:
        look_up = _LookUp(host, port)
        try:
            look_up.start()
        except RuntimeError:  # no thread can be started, for example when the interpreter exits
            return _look_up(host, port)
    look_up.join(timeout)
    if look_up.outcome is None:
        raise socket.timeout("the name look-up took too long")
    if isinstance(look_up.outcome, Exception):
        # A new one, as several calls may wait, and each adds its traceback.
        raise socket.gaierror(*look_up.outcome.args)
    return look_up.outcome


def _look_up(host: str, port: int) -> list[AddressInfo]:
    # As bytes: for a str, Python would import its IDNA codec during a call.
    return socket.getaddrinfo(host.encode("ascii"), port, type=socket.SOCK_STREAM)


class _LookUp(threading.Thread):
    """
    Looks up a name. If another thread already does, waits for that thread's outcome.

    The thread registers itself when it runs, not when it is created: a signal handler may raise an
    exception before it starts, and later calls would wait for a look-up that never began.
    """

    def __init__(self, host: str, port: int) -> None:
        super().__init__(name=f"look up {host}", daemon=True)
        self._host_and_port = host, port
        self.outcome: Union[list[AddressInfo], Exception, None] = None

    def run(self) -> None:
        first = _look_ups.setdefault(self._host_and_port, self)
        if first is not self:
            first.join()
            self.outcome = first.outcome
            return
        try:
            self.outcome = _look_up(*self._host_and_port)
        except Exception as error:  # noqa: BLE001 - `resolve` raises it in the waiting threads
            self.outcome = error
        del _look_ups[self._host_and_port]


_look_ups: dict[tuple[str, int], _LookUp] = {}
if hasattr(os, "register_at_fork"):  # pragma: no branch - not on Windows
    os.register_at_fork(after_in_child=_look_ups.clear)  # the child has no threads
