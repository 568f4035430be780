"""The former name of `cutmeshort.api.tracking_api`."""

from cutmeshort.api.tracking_api import *  # noqa: F403
