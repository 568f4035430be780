"""
The only package that knows HTTP and urllib3.

- `client`: a call with its attempts and its deadline
- `attempt`: the attempt in progress, and sockets that its deadline limits
- `connections`: urllib3's connections and pools over these sockets
- `response`: a strict parser of HTTP responses
- `tls`: certificates, and TLS over these sockets
- `errors`: what each error of urllib3 means
"""

from .client import RESTClientObject, RESTRequest
from .response import RESTResponse

__all__ = ["RESTClientObject", "RESTRequest", "RESTResponse"]
