"""The model of the table in which events wait."""

from django.db import models


class OutboxRow(models.Model):
    """An event that waits; its fields are those of QueuedEvent."""

    id = models.BigAutoField(primary_key=True)
    key = models.CharField(max_length=32)
    customer = models.CharField(max_length=32)  # a hash
    operation = models.CharField(max_length=32)
    body = models.TextField()
    created_at = models.FloatField()  # seconds since the epoch
    handed_over_at = models.FloatField(null=True)  # NULL: not yet

    class Meta:
        """The table and its index."""

        db_table = "cutmeshort_outbox"
        indexes = (models.Index(fields=["handed_over_at", "id"], name="cutmeshort_outbox_new"),)
