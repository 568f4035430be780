"""The former name of `cutmeshort`."""

import warnings

from cutmeshort import *  # noqa: F403
from cutmeshort import __all__ as __all__
from cutmeshort import __version__ as __version__

warnings.warn(
    "cms_python is now called cutmeshort: write `from cutmeshort import ...`",
    DeprecationWarning,
    stacklevel=2,
)
