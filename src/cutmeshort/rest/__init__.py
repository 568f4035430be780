"""
The only package that knows HTTP and urllib3.

- `client`: a call, its attempts and its deadline
- `attempt`: what a connection needs to know of the attempt, and sockets that end with it
- `connections`: urllib3's connections and pools, with steps that end in time
- `response`: a strict reader of responses
- `tls`: certificates, and TLS over such sockets
- `errors`: what each of urllib3's errors means
"""

from .client import RESTClientObject, RESTRequest
from .response import RESTResponse

__all__ = ["RESTClientObject", "RESTRequest", "RESTResponse"]
