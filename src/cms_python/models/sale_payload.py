"""The former name of `cutmeshort.models.sale_payload`."""

from cutmeshort.models.sale_payload import *  # noqa: F403
