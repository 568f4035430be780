"""The former name of `cutmeshort.api`."""

from cutmeshort.api import *  # noqa: F403
