"""Rights of the database roles before any table, then core's own tables."""

from importlib.util import find_spec

import core.ids
from django.apps import apps
from django.db import migrations, models

from core import clock, database, partitions

# Default privileges hold only for tables made after them.
_LATER = (
    "accounts", "account", "admin", "auth", "contenttypes", "contracts", "governance",
    "lineage", "mfa", "oauth2_provider", "sessions", "vault",
)

_AUDIT_TABLE = """
CREATE TABLE core_auditevent (
    id uuid NOT NULL PRIMARY KEY,
    occurred_at timestamptz NOT NULL,
    action varchar(80) NOT NULL,
    actor_id varchar(64) NOT NULL,
    actor_role varchar(200) NOT NULL,
    controller_id uuid NULL,
    trail_id uuid NULL,
    erasure_id uuid NULL,
    request_id uuid NULL,
    details jsonb NOT NULL,
    r bytea NULL,
    leaf bytea NULL,
    CONSTRAINT core_auditevent_subject_keeps_no_leaf CHECK (
        (trail_id IS NOT NULL AND r IS NULL AND leaf IS NULL)
        OR (trail_id IS NULL AND r IS NOT NULL AND leaf IS NOT NULL)
    )
) PARTITION BY RANGE (id);
CREATE INDEX core_audit_controller ON core_auditevent (controller_id, id);
CREATE INDEX core_audit_trail ON core_auditevent (trail_id, id);
CREATE INDEX core_audit_erasure ON core_auditevent (erasure_id, id);
CREATE TABLE core_auditevent_default PARTITION OF core_auditevent DEFAULT;
"""


def _starts_with_initial(label):
    config = apps.app_configs.get(label)
    return config is not None and find_spec(f"{config.name}.migrations.0001_initial") is not None


def _partitions(_apps, editor):
    partitions.ensure(now=clock.wall(), alias=editor.connection.alias)


_AUDIT_STATE = migrations.CreateModel(
    name="AuditEvent",
    fields=[
        ("id", models.UUIDField(default=core.ids.new_time_ordered, editable=False, primary_key=True, serialize=False)),
        ("occurred_at", models.DateTimeField()),
        ("action", models.CharField(max_length=80)),
        ("actor_id", models.CharField(max_length=64)),
        ("actor_role", models.CharField(max_length=200)),
        ("controller_id", models.UUIDField(null=True)),
        ("trail_id", models.UUIDField(null=True)),
        ("erasure_id", models.UUIDField(null=True)),
        ("request_id", models.UUIDField(null=True)),
        ("details", models.JSONField(default=dict)),
        ("r", models.BinaryField(max_length=32, null=True)),
        ("leaf", models.BinaryField(max_length=32, null=True)),
    ],
    options={
        "indexes": [
            models.Index(fields=["controller_id", "id"], name="core_audit_controller"),
            models.Index(fields=["trail_id", "id"], name="core_audit_trail"),
            models.Index(fields=["erasure_id", "id"], name="core_audit_erasure"),
        ],
        "constraints": [
            models.CheckConstraint(
                condition=models.Q(trail_id__isnull=False, r__isnull=True, leaf__isnull=True)
                | models.Q(trail_id__isnull=True, r__isnull=False, leaf__isnull=False),
                name="core_auditevent_subject_keeps_no_leaf",
            ),
        ],
    },
)


class Migration(migrations.Migration):
    initial = True
    dependencies = []
    run_before = [(label, "0001_initial") for label in _LATER if _starts_with_initial(label)]
    operations = [
        database.default_privileges(),
        migrations.CreateModel(
            name="LeafInbox",
            fields=[
                ("id", models.UUIDField(default=core.ids.new_random, editable=False, primary_key=True, serialize=False)),
                ("leaf", models.BinaryField(max_length=32)),
            ],
        ),
        migrations.CreateModel(
            name="SigningKey",
            fields=[
                ("key_id", models.CharField(max_length=64, primary_key=True, serialize=False)),
                ("holder", models.CharField(max_length=32)),
                ("public", models.BinaryField(max_length=32)),
                ("first_seen_at", models.DateTimeField()),
            ],
        ),
        migrations.SeparateDatabaseAndState(
            database_operations=[
                migrations.RunSQL(_AUDIT_TABLE, "DROP TABLE core_auditevent"),
                database.grant("core_auditevent_default", database.APP, ()),
                database.grant("core_auditevent_default", database.STREAM, ()),
                migrations.RunPython(_partitions, migrations.RunPython.noop),
            ],
            state_operations=[_AUDIT_STATE],
        ),
        migrations.CreateModel(
            name="ClockOffset",
            fields=[
                ("id", models.PositiveSmallIntegerField(default=1, primary_key=True, serialize=False)),
                ("ahead", models.DurationField()),
            ],
            options={
                "constraints": [models.CheckConstraint(condition=models.Q(id=1), name="core_clockoffset_one_row")],
            },
        ),
        migrations.CreateModel(
            name="Effect",
            fields=[
                ("id", models.UUIDField(default=core.ids.new_time_ordered, editable=False, primary_key=True, serialize=False)),
                ("kind", models.CharField(max_length=64)),
                ("key", models.CharField(max_length=128)),
                ("queue", models.CharField(max_length=32)),
                ("payload", models.JSONField(default=dict)),
                ("state", models.CharField(choices=[("pending", "Pending"), ("claimed", "Claimed"), ("done", "Done"), ("needs-operator", "Needs Operator")], default="pending", max_length=16)),
                ("attempts", models.PositiveIntegerField(default=0)),
                ("failures", models.PositiveIntegerField(default=0)),
                ("due_at", models.DateTimeField()),
                ("lease_token", models.UUIDField(null=True)),
                ("lease_until", models.DateTimeField(null=True)),
                ("last_error", models.CharField(blank=True, max_length=64)),
                ("outcome", models.JSONField(null=True)),
                ("created_at", models.DateTimeField()),
                ("settled_at", models.DateTimeField(null=True)),
            ],
            options={
                "indexes": [
                    models.Index(condition=models.Q(state__in=["pending", "claimed"]), fields=["queue", "due_at"], name="core_effect_due"),
                ],
                "constraints": [
                    models.UniqueConstraint(fields=("kind", "key"), name="core_effect_one_per_key"),
                    models.CheckConstraint(
                        condition=models.Q(state="claimed", lease_token__isnull=False, lease_until__isnull=False)
                        | (~models.Q(state="claimed") & models.Q(lease_token__isnull=True, lease_until__isnull=True)),
                        name="core_effect_lease_iff_claimed",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="IdempotencyRecord",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("caller_id", models.CharField(max_length=64)),
                ("key_mac", models.BinaryField(max_length=32)),
                ("body_mac", models.BinaryField(max_length=32)),
                ("status", models.PositiveSmallIntegerField(null=True)),
                ("resource_id", models.CharField(blank=True, max_length=64)),
                ("created_at", models.DateTimeField()),
                ("locked_until", models.DateTimeField()),
                ("expires_at", models.DateTimeField(db_index=True)),
            ],
            options={
                "constraints": [models.UniqueConstraint(fields=("caller_id", "key_mac"), name="core_idempotency_one_per_key")],
            },
        ),
        database.insert_only("core_auditevent", stream_inserts=True),
        database.insert_only("core_signingkey"),
        # The log takes leaves out of the inbox; nobody changes one.
        database.grant("core_leafinbox", database.APP, ("SELECT", "INSERT", "DELETE")),
        database.grant("core_leafinbox", database.STREAM, ("SELECT", "INSERT")),
        database.grant("core_idempotencyrecord", database.STREAM, ("SELECT", "INSERT", "UPDATE")),
    ]
