"""The former name of `cutmeshort.configuration`."""

from cutmeshort.configuration import *  # noqa: F403
