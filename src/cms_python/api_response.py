"""The former name of `cutmeshort.api_response`."""

from cutmeshort.api_response import *  # noqa: F403
