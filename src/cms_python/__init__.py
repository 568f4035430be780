"""The former name of `cutmeshort`, with the same public names and modules."""

import warnings

from cutmeshort import *  # noqa: F403
from cutmeshort import __all__ as __all__
from cutmeshort import __version__ as __version__

from . import api as api
from . import api_client as api_client
from . import api_response as api_response
from . import client as client
from . import configuration as configuration
from . import exceptions as exceptions
from . import models as models
from . import rest as rest

warnings.warn(
    "cms_python is now called cutmeshort: use `from cutmeshort import ...`",
    DeprecationWarning,
    stacklevel=2,
)
