"""The sandbox's own log, separate from the application's."""

import logging
import threading

# It is not a logger of getLogger: pytest adds its handlers to those, even if they do not propagate.
# Without a handler of its own, it writes warnings to stderr, which is logging's last resort.
LOGGER = logging.Logger("cutmeshort.sandbox")

_LIBRARIES = ("uvicorn.error", "uvicorn.access", "uvicorn.asgi", "asyncio")


class ServerThread(threading.Thread):
    """A thread that serves a sandbox."""


class LogFilter(logging.Filter):
    """
    Redirects to LOGGER what the libraries log in the threads of sandboxes.

    The application may use the same libraries, so their loggers keep their levels and handlers.
    Each running sandbox installs a filter of its own, and every filter handles the threads of all
    sandboxes. So no record is missed while the filter of another sandbox is removed.
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
