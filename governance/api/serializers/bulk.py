from typing import Any

from rest_framework import serializers


class FieldErrorSerializer(serializers.Serializer[Any]):
    """Which field of a body or line is wrong, and why."""

    field = serializers.CharField()
    code = serializers.CharField()
    message = serializers.CharField()


class LineOutcomeSerializer(serializers.Serializer[Any]):
    """What became of one line; the last line of an answer is a summary, marked by `end`."""

    line = serializers.IntegerField(required=False, help_text="Counted from 1, as it was sent.")
    outcome = serializers.CharField(
        required=False, help_text="What was done, or the code of the problem."
    )
    errors = FieldErrorSerializer(many=True, required=False)  # type: ignore[assignment]  # API name
    end = serializers.BooleanField(required=False)
    lines = serializers.IntegerField(required=False, help_text="Lines that were read.")
    processed = serializers.IntegerField(required=False)
    last_processed_line = serializers.IntegerField(required=False)
    outcomes = serializers.DictField(
        child=serializers.IntegerField(), required=False, help_text="How many lines by outcome."
    )
    code = serializers.CharField(
        required=False, help_text="Why the lines after the last processed one were not."
    )
    retry_after = serializers.IntegerField(required=False, help_text="Seconds.")
