"""The former name of `cutmeshort.models.track_response`."""

from cutmeshort.models.track_response import *  # noqa: F403
