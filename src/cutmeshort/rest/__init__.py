"""
The transport: the only package that opens connections and knows urllib3's errors.

- `client`: sends a request, with retries until the deadline of the call
- `attempt`: the current attempt, and sockets that enforce its deadline
- `connections`: urllib3's connections and pools over these sockets
- `response`: a strict parser of HTTP responses
- `tls`: certificates, and TLS over these sockets
- `errors`: translates urllib3's errors to ApiException
"""

from .client import RESTClientObject, RESTRequest
from .response import RESTResponse

__all__ = ["RESTClientObject", "RESTRequest", "RESTResponse"]
