"""
The only room that knows urllib3's machinery.

- `client`: the call, its attempts and its deadline
- `attempt`: what a connection and an answer need to know of the attempt
- `connections`: sockets that end in time, and what a fork leaves of them
- `answer`: whole answers, in time
- `route`: the way to the host, with TLS and proxies
- `body`: what an answer says, within bounds
- `errors`: what each of urllib3's errors means
"""

from .client import RESTClientObject, RESTRequest, RESTResponse

__all__ = ["RESTClientObject", "RESTRequest", "RESTResponse"]
