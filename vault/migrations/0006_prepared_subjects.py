import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("vault", "0005_removals_that_join_nothing"),
    ]

    operations = [
        migrations.CreateModel(
            name="PreparedSubject",
            fields=[
                (
                    "subject",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.PROTECT,
                        primary_key=True,
                        serialize=False,
                        to="vault.subject",
                    ),
                ),
                ("controller_id", models.UUIDField()),
                ("evidence_public", models.BinaryField()),
                ("prepared_at", models.DateTimeField()),
                ("system_identifier", models.BigIntegerField()),
                ("postmaster_started", models.DateTimeField()),
                ("table_oid", models.BigIntegerField()),
            ],
            options={
                "indexes": [
                    models.Index(
                        fields=["controller_id", "prepared_at"], name="prepared_by_controller"
                    )
                ],
            },
        ),
    ]
