"""
The only package that knows HTTP and urllib3.

- `client`: a call, its attempts and its deadline
- `attempt`: the attempt that is under way, and sockets that are limited by its deadline
- `connections`: urllib3's connections and pools over such sockets
- `response`: a strict reader of responses
- `tls`: certificates, and TLS over such sockets
- `errors`: what each of urllib3's errors means
"""

from .client import RESTClientObject, RESTRequest
from .response import RESTResponse

__all__ = ["RESTClientObject", "RESTRequest", "RESTResponse"]
