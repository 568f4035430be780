"""
A local mock of the CutMeShort tracking service, for development and tests.

It needs the extra `sandbox`: `pip install "cutmeshort[sandbox]"`. In tests, use Sandbox as a
context manager; otherwise, run `cutmeshort sandbox`.
"""

from importlib.util import find_spec

try:
    if find_spec("fastapi") is None:  # imported only when the page is opened
        raise ModuleNotFoundError(name="fastapi")  # noqa: TRY301
    from .sandbox import Sandbox
except ModuleNotFoundError as error:
    raise ModuleNotFoundError(
        f'the sandbox needs {error.name}: pip install "cutmeshort[sandbox]"', name=error.name
    ) from error
from .state.exchanges import Received, Refused
from .state.service import Attribution

__all__ = ["Attribution", "Received", "Refused", "Sandbox"]
