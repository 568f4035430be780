"""The former name of `cutmeshort.client`."""

from cutmeshort.client import *  # noqa: F403
