"""The operations of the tracking API over HTTP, and the server."""
