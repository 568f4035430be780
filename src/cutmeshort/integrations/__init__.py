"""Integrations with Django, Flask and ASGI frameworks. Each needs the extra of its name."""
