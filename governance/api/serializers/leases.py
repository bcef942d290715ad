from typing import Any

from rest_framework import serializers

from core.ids import PublicId
from governance.api.fields import CodeField, PublicIdField, StrictSerializer, TextField


class LeaseOpenSerializer(StrictSerializer):
    categories = serializers.ListField(
        child=CodeField(),
        required=False,
        allow_empty=False,
        max_length=100,
        help_text="Codes; all categories of the purpose when left out.",
    )
    run_reference = TextField(
        required=False,
        allow_blank=True,
        max_length=200,
        help_text="The consumer's own reference of the run that reads; no personal data.",
    )


class ExclusionsSerializer(serializers.Serializer[Any]):
    """Subjects that the lease did not read when it was opened, by reason."""

    refused = serializers.IntegerField()
    withdrawn = serializers.IntegerField()
    undecided = serializers.IntegerField(help_text="Neither given nor refused, or not yet granted.")
    restricted = serializers.IntegerField()
    erased = serializers.IntegerField()
    key_lost = serializers.IntegerField(
        help_text="Some of whose data cannot be opened: the key store lacks their key."
    )


class LeaseSerializer(serializers.Serializer[Any]):
    id = PublicIdField(PublicId.LEASE)
    purpose_id = PublicIdField(PublicId.PURPOSE)
    purpose_version = serializers.IntegerField()
    state = serializers.ChoiceField(["open", "closed", "failed", "expired", "revoked"])
    fields = serializers.DictField(  # type: ignore[assignment]  # the name is the API's
        child=serializers.ListField(child=serializers.CharField()),
        help_text="Category code → fields that are read, `*` for all.",
    )
    run_reference = serializers.CharField(allow_blank=True)
    subjects = serializers.IntegerField(help_text="Subjects readable when it was opened.")
    exclusions = ExclusionsSerializer()
    opened_at = serializers.DateTimeField()
    expires_at = serializers.DateTimeField()
    closed_at = serializers.DateTimeField(allow_null=True)
    records_sent = serializers.IntegerField()
    problem = serializers.CharField(
        allow_blank=True, help_text="Code of what cut the last stream, or empty."
    )
    cursor = serializers.CharField(
        allow_blank=True, help_text="Where the cut stream can be resumed, or empty."
    )
    records_url = serializers.CharField(help_text="Where the records are streamed from.")


class StreamLineSerializer(serializers.Serializer[Any]):
    """A record, or, after each page, a trailer with `cursor`, or the last line with `end`."""

    alias = PublicIdField(
        PublicId.ALIAS, required=False, help_text="The subject's name in this purpose only."
    )
    category = serializers.CharField(required=False)
    reference = serializers.CharField(
        required=False, help_text="The record's name in this purpose only, 32 hex digits."
    )
    version = serializers.IntegerField(required=False)
    data = serializers.DictField(  # type: ignore[assignment]  # the name is the API's
        required=False, help_text="Only the purpose's fields."
    )
    cursor = serializers.CharField(
        required=False,
        help_text="Resume with `after=<cursor>` in the same split; records after it follow.",
    )
    records = serializers.IntegerField(required=False, help_text="Records in this stream so far.")
    end = serializers.BooleanField(
        required=False,
        help_text="True on the last line. A stream without it was cut: resume from the cursor.",
    )
    complete = serializers.BooleanField(
        required=False, help_text="On the last line: the split was read to its end."
    )
