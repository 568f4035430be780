"""The former name of `cutmeshort.rest`."""

from cutmeshort.rest import *  # noqa: F403
