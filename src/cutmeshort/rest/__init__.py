"""
The only room that knows urllib3's machinery.

- `client`: the call, its attempts and its deadline
- `connections`: sockets that end in time, whole answers, and what a fork leaves of them
- `route`: the way to the host, with TLS and proxies
- `body`: what an answer says, within bounds
- `errors`: what each of urllib3's errors means
"""

from .client import RESTClientObject, RESTRequest, RESTResponse

__all__ = ["RESTClientObject", "RESTRequest", "RESTResponse"]
