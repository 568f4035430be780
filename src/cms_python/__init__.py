"""The former name of `cutmeshort`: the same names, in modules of the same names."""

import sys
import warnings

from cutmeshort import *  # noqa: F403
from cutmeshort import __all__ as __all__
from cutmeshort import __version__ as __version__

_MODULES = (
    *("api", "api.tracking_api", "api_client", "api_response", "client", "configuration"),
    *("exceptions", "models", "models.error_response", "models.lead_payload"),
    *("models.sale_payload", "models.track_response", "rest"),
)

for _name in _MODULES:
    _module = sys.modules[f"cutmeshort.{_name}"]
    sys.modules[f"{__name__}.{_name}"] = _module
    if "." not in _name:
        globals()[_name] = _module

warnings.warn(
    "cms_python is now called cutmeshort: write `from cutmeshort import ...`",
    DeprecationWarning,
    stacklevel=2,
)
