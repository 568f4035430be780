"""The sandbox's own log, separate from the application's."""

import logging
import threading

# Not from getLogger: pytest adds its handlers to those loggers even if they do not propagate. As it
# has no handler, its warnings go to stderr (logging.lastResort).
LOGGER = logging.Logger("cutmeshort.sandbox")

_LIBRARIES = ("uvicorn.error", "uvicorn.access", "uvicorn.asgi", "asyncio")


class ServerThread(threading.Thread):
    """A thread that serves a sandbox; LogFilter recognises it by its class."""


class LogFilter(logging.Filter):
    """
    Redirects the log records that libraries create in the threads of sandboxes to LOGGER.

    The application may use the same libraries, so their loggers keep their levels and handlers.
    Each running sandbox installs its own filter, which handles the threads of all sandboxes, so
    that no record is missed while another sandbox removes its filter.
    """

    def install(self) -> None:
        """Add the filter to the libraries' loggers."""
        for name in _LIBRARIES:
            logging.getLogger(name).addFilter(self)

    def remove(self) -> None:
        """Remove the filter, if it is installed."""
        for name in _LIBRARIES:
            logging.getLogger(name).removeFilter(self)

    def filter(self, record: logging.LogRecord) -> bool:
        """Return whether the record is the application's; redirect it otherwise."""
        if not isinstance(threading.current_thread(), ServerThread):
            return True
        LOGGER.handle(record)
        return False
