"""
A local mock of the CutMeShort tracking service, for development and tests.

It needs the extra `sandbox`: `pip install "cutmeshort[sandbox]"`. In tests, use Sandbox as a
context manager; otherwise, run `cutmeshort sandbox`.
"""

try:
    from .sandbox import Sandbox
except ModuleNotFoundError as error:
    raise ModuleNotFoundError(
        f'the sandbox needs {error.name}: pip install "cutmeshort[sandbox]"', name=error.name
    ) from error
from .state.exchanges import Received, Refused
from .state.service import Attribution

__all__ = ["Attribution", "Received", "Refused", "Sandbox"]
