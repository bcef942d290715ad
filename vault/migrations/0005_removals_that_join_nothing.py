from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("vault", "0004_journal_and_gate")]

    operations = [
        migrations.RemoveIndex(model_name="removal", name="removal_by_purpose"),
        migrations.AddField(
            model_name="removal",
            name="number",
            field=models.PositiveBigIntegerField(null=True),
        ),
        migrations.RenameField(model_name="removal", old_name="at", new_name="on"),
        migrations.AlterField(model_name="removal", name="on", field=models.DateField()),
        migrations.RunSQL(
            "UPDATE vault_removal SET id = gen_random_uuid()", migrations.RunSQL.noop
        ),
        migrations.AddConstraint(
            model_name="removal",
            constraint=models.UniqueConstraint(
                fields=("purpose_id", "number"), name="removal_by_number"
            ),
        ),
        migrations.AddIndex(
            model_name="removal",
            index=models.Index(
                fields=["purpose_id", "alias"],
                condition=models.Q(("number", None)),
                name="removal_without_number",
            ),
        ),
    ]
