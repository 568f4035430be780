"""The former name of `cutmeshort.api_client`."""

from cutmeshort.api_client import *  # noqa: F403
