from django.db import migrations, models


class Migration(migrations.Migration):
    """Acknowledgements made before name rows whose ids change: everything is listed once more."""

    dependencies = [("governance", "0002_removal_acknowledgements")]

    operations = [
        migrations.RemoveField(model_name="removalacknowledgement", name="up_to"),
        migrations.AddField(
            model_name="removalacknowledgement",
            name="up_to",
            field=models.PositiveBigIntegerField(default=0),
            preserve_default=False,
        ),
    ]
