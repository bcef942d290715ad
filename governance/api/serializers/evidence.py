"""Shapes of evidence; what stands inside is said by docs/formats."""

from typing import Any

from rest_framework import serializers

from governance.api.serializers.records import DocumentField


class ReceiptSerializer(serializers.Serializer[Any]):
    """A receipt file, to be kept as it is (docs/formats/receipt.md)."""

    format = serializers.CharField()
    envelope = DocumentField(help_text="The signed statement, as a DSSE envelope.")
    keys = DocumentField(help_text="A copy of the published keys.")
    log = DocumentField(
        required=False, help_text="What the log has of it; absent until that is published."
    )
