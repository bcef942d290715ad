from django.db import migrations, models

from core.database import insert_only


class Migration(migrations.Migration):
    dependencies = [("governance", "0001_initial")]

    operations = [
        migrations.CreateModel(
            name="RemovalAcknowledgement",
            fields=[
                ("id", models.UUIDField(editable=False, primary_key=True, serialize=False)),
                ("purpose_id", models.UUIDField()),
                ("client_id", models.UUIDField()),
                ("up_to", models.UUIDField()),
                ("at", models.DateTimeField()),
            ],
            options={
                "indexes": [
                    models.Index(
                        fields=["purpose_id", "client_id"], name="removals_acknowledged"
                    )
                ],
            },
        ),
        insert_only("governance_removalacknowledgement"),
    ]
