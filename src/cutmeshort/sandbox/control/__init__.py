"""The JSON endpoints, the stream of changes, and the description of the API."""
