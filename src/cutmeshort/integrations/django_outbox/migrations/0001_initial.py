"""Create the table."""

from django.db import migrations, models


class Migration(migrations.Migration):
    """The first version."""

    initial = True
    dependencies = ()
    operations = (
        migrations.CreateModel(
            name="OutboxRow",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("key", models.CharField(max_length=32)),
                ("customer", models.CharField(max_length=32)),
                ("operation", models.CharField(max_length=32)),
                ("body", models.TextField()),
                ("created_at", models.FloatField()),
                ("handed_over_at", models.FloatField(null=True)),
            ],
            options={
                "db_table": "cutmeshort_outbox",
                "indexes": [
                    models.Index(fields=["handed_over_at", "id"], name="cutmeshort_outbox_new")
                ],
            },
        ),
    )
