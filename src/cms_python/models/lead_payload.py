"""The former name of `cutmeshort.models.lead_payload`."""

from cutmeshort.models.lead_payload import *  # noqa: F403
