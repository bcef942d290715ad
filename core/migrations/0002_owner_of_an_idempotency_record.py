from django.db import migrations, models

import core.ids


class Migration(migrations.Migration):
    dependencies = [("core", "0001_initial")]

    operations = [
        migrations.AddField(
            model_name="idempotencyrecord",
            name="owner",
            field=models.UUIDField(default=core.ids.new_random),
            preserve_default=False,
        ),
    ]
