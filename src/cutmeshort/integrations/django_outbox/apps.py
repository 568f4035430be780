"""The configuration of the app."""

from django.apps import AppConfig


class OutboxConfig(AppConfig):
    """The app, whose label and table are `cutmeshort_outbox`."""

    name = "cutmeshort.integrations.django_outbox"
    label = "cutmeshort_outbox"
    verbose_name = "CutMeShort outbox"
