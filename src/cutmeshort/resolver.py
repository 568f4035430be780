"""Name look-ups with a timeout, which those of the operating system lack."""

import ipaddress
import os
import socket
import threading
from typing import Any, Union

# As socket.getaddrinfo returns it: family, type, protocol, canonical name, address.
AddressInfo = tuple[Any, Any, int, str, tuple[Any, ...]]


def resolve(host: str, port: int, timeout: float) -> list[AddressInfo]:
    """
    Return the addresses of a host. A name is looked up in a thread.

    Args:
        host: A name in ASCII, or an address.
        port: The port.
        timeout: Seconds.

    Raises:
        socket.gaierror: There is no such name, or the name server failed.
        socket.timeout: The name server did not respond in time.
    """
    try:
        ipaddress.ip_address(host)
    except ValueError:
        look_up = _look_ups.get((host, port))
    else:
        return _look_up(host, port)
    try:
        if look_up is None:
            look_up = _LookUp(host, port)
            look_up.start()
    except RuntimeError:  # no thread can start, for example because the interpreter exits
        return _look_up(host, port)
    look_up.join(timeout)
    if look_up.outcome is None:
        raise socket.timeout("the name server did not respond")
    if isinstance(look_up.outcome, Exception):
        raise socket.gaierror(*look_up.outcome.args)  # a new one for each call that waited
    return look_up.outcome


def _look_up(host: str, port: int) -> list[AddressInfo]:
    # As bytes, because for a str Python would now import its IDNA codec.
    return socket.getaddrinfo(host.encode("ascii"), port, type=socket.SOCK_STREAM)


class _LookUp(threading.Thread):
    """
    Looks up a name, or waits for another thread that does.

    The thread registers itself once it runs. A signal handler may raise an exception anywhere in
    the call that starts it, and no later call may wait for a look-up that never began.
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
        except Exception as error:  # noqa: BLE001 - raised by `resolve`
            self.outcome = error
        del _look_ups[self._host_and_port]


_look_ups: dict[tuple[str, int], _LookUp] = {}
if hasattr(os, "register_at_fork"):  # pragma: no branch - not on Windows
    os.register_at_fork(after_in_child=_look_ups.clear)  # the child has no threads
