"""The former name of `cutmeshort.exceptions`."""

from cutmeshort.exceptions import *  # noqa: F403
