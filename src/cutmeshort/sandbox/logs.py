"""The sandbox's own log, apart from the application's."""

import logging
import threading

# Without a handler, it shows warnings on stderr, by logging's last resort. It is not one of those
# that getLogger returns: pytest puts its handlers even on those that do not propagate.
LOGGER = logging.Logger("cutmeshort.sandbox")

_LIBRARIES = ("uvicorn.error", "uvicorn.access", "uvicorn.asgi", "asyncio")


class ServerThread(threading.Thread):
    """A thread in which a sandbox serves."""


class LogFilter(logging.Filter):
    """
    Redirects what the libraries log in the threads of sandboxes to LOGGER.

    The application may use the same libraries. So their levels and handlers stay as they are, and
    each sandbox that runs has one filter; any of the filters knows the threads of all sandboxes, so
    that none is missed while another one is removed.
    """

    def install(self) -> None:
        """Put the filter on the libraries' loggers."""
        for name in _LIBRARIES:
            logging.getLogger(name).addFilter(self)

    def remove(self) -> None:
        """Remove it, if it is there."""
        for name in _LIBRARIES:
            logging.getLogger(name).removeFilter(self)

    def filter(self, record: logging.LogRecord) -> bool:
        """Tell whether the record is the application's."""
        if not isinstance(threading.current_thread(), ServerThread):
            return True
        LOGGER.handle(record)
        return False
