"""The former name of `cutmeshort.models.error_response`."""

from cutmeshort.models.error_response import *  # noqa: F403
