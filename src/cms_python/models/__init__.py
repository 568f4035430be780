"""The former name of `cutmeshort.models`."""

from cutmeshort.models import *  # noqa: F403
