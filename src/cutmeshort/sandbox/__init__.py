"""
A local imitation of the CutMeShort tracking service, to develop and test against.

Needs the extra: `pip install "cutmeshort[sandbox]"`. `python -m cutmeshort.sandbox` runs it by
itself; inside tests, use Sandbox as a context manager.
"""

try:
    from .server import Sandbox
except ModuleNotFoundError as error:
    raise ModuleNotFoundError(
        f'the sandbox needs {error.name}: pip install "cutmeshort[sandbox]"', name=error.name
    ) from error
from .request_log import Refused
from .service import Attribution

__all__ = ["Attribution", "Refused", "Sandbox"]
