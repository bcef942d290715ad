"""Parts of a person's data that end: one record, what a correction superseded, a key group.

People act here, until requests of these kinds have procedures of their own.
"""

from collections.abc import Callable
from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from core import idempotency, ids
from core.api.views import Acted
from core.ids import PublicId
from governance.api import access
from governance.api.base import View, shown
from governance.api.requests import with_certificates
from governance.api.serializers.rekeys import (
    ExpiryCreateSerializer,
    ExpirySerializer,
    RekeyCreateSerializer,
    RekeySerializer,
)
from governance.api.serializers.requests import CertificatesSerializer
from governance.services import erasure, rekeys
from vault.models import Rekey as RekeyRow
from vault.models import Shredding

_DECIDERS = access.allow(roles=(access.OFFICER, access.DPO))
_READERS = access.allow(roles=(*access.READERS, access.CUSTODIAN))
_REKEY = ("id", "subject_id", "group", "reasons", "records", "versions", "state",
          "requested_at", "swapped_at", "done_at")  # fmt: skip


class RekeyView(View):
    def shown(self, row: RekeyRow) -> Any:
        """A re-key with the progress of its old key's destruction."""
        fields = {name: getattr(row, name) for name in _REKEY}
        progress = erasure.progress(erasure_id=row.erasure_id)
        return shown(RekeySerializer, fields | {"erasure": progress})

    def again(self, replay: idempotency.Replay) -> Any:
        """The re-key that an earlier request with the same key began, as it stands."""
        rekey_id = ids.parse(PublicId.REKEY, replay.resource_id)
        return self.shown(rekeys.get_rekey(controller_id=self.controller_id, rekey_id=rekey_id))

    def begin(self, act: Callable[..., RekeyRow], **fields: Any) -> Response:
        """One act that begins a re-key, or joins the one under way."""

        def once(now: Any) -> Acted:
            row = act(controller_id=self.controller_id, actor=self.caller.actor, now=now, **fields)
            return Acted(201, ids.format(PublicId.REKEY, row.id), self.shown(row))

        return self.once(once, again=self.again)


class RecordErasures(RekeyView):
    access = {"POST": _DECIDERS}
    idempotent = conditional = ("POST",)

    @extend_schema(operation_id="erase_record", request=None, responses={201: RekeySerializer})
    def post(self, _request: Request, **_path: str) -> Response:
        """Erase one record: all its versions are gone with this answer.

        If-Match names its current version. Copies in backups end with the key they were sealed
        under, once all that is kept has another.
        """
        return self.begin(
            rekeys.erase_record,
            record_id=self.path_id(PublicId.RECORD, "record_id"),
            expected_version=self.expected_version(),
        )


class RecordRectifications(RekeyView):
    access = {"POST": _DECIDERS}
    idempotent = conditional = ("POST",)

    @extend_schema(operation_id="drop_superseded", request=None, responses={201: RekeySerializer})
    def post(self, _request: Request, **_path: str) -> Response:
        """Remove what a correction has superseded: every version but the current one.

        The correction itself is put by the record's source. If-Match names the current version.
        """
        return self.begin(
            rekeys.drop_superseded,
            record_id=self.path_id(PublicId.RECORD, "record_id"),
            expected_version=self.expected_version(),
        )


class SubjectRekeys(RekeyView):
    access = {"POST": _DECIDERS}
    idempotent = ("POST",)

    @extend_schema(
        operation_id="rekey_subject",
        request=RekeyCreateSerializer,
        responses={201: RekeySerializer},
    )
    def post(self, _request: Request, **_path: str) -> Response:
        """Give a key group of a data subject another key, because the old one may have leaked."""
        fields = self.body(RekeyCreateSerializer)
        return self.begin(
            rekeys.suspect_leak,
            subject_id=self.path_id(PublicId.SUBJECT, "subject_id"),
            group=fields["group"],
        )


class Rekey(RekeyView):
    access = {"GET": _READERS}

    @extend_schema(operation_id="get_rekey", responses={200: RekeySerializer})
    def get(self, _request: Request, **_path: str) -> Response:
        """How far a re-key is; 404 once its data subject was erased."""
        rekey_id = self.path_id(PublicId.REKEY, "rekey_id")
        return Response(
            self.shown(rekeys.get_rekey(controller_id=self.controller_id, rekey_id=rekey_id))
        )


class RekeyCertificates(View):
    access = {"GET": _READERS}

    @extend_schema(operation_id="list_rekey_certificates", responses={200: CertificatesSerializer})
    def get(self, _request: Request, **_path: str) -> Response:
        """The certificates of the old key's destruction; none until it was verified."""
        rekey_id = self.path_id(PublicId.REKEY, "rekey_id")
        row = rekeys.get_rekey(controller_id=self.controller_id, rekey_id=rekey_id)
        return with_certificates(self, row.erasure_id)


class ExpiryView(View):
    def shown(self, row: Shredding) -> Any:
        """An expiry with its progress."""
        fields = {name: getattr(row, name) for name in ("subject_id", "group", "state")}
        return shown(ExpirySerializer, fields | {"id": row.erasure_id, "erasure": row})

    def again(self, replay: idempotency.Replay) -> Any:
        """The expiry that an earlier request with the same key began, as it stands."""
        erasure_id = ids.parse(PublicId.ERASURE, replay.resource_id)
        row = rekeys.get_expiry(controller_id=self.controller_id, erasure_id=erasure_id)
        return self.shown(row)

    def found(self) -> Shredding:
        """The expiry in the path. Raises ExpiryNotFound."""
        erasure_id = self.path_id(PublicId.ERASURE, "erasure_id")
        return rekeys.get_expiry(controller_id=self.controller_id, erasure_id=erasure_id)


class SubjectExpiries(ExpiryView):
    access = {"POST": _DECIDERS}
    idempotent = ("POST",)

    @extend_schema(
        operation_id="expire_group",
        request=ExpiryCreateSerializer,
        responses={201: ExpirySerializer},
    )
    def post(self, _request: Request, **_path: str) -> Response:
        """End a key group of a data subject whose retention has ended; the subject lives on.

        With this answer nobody reads or writes the group's data any more.
        """
        fields = self.body(ExpiryCreateSerializer)
        subject_id = self.path_id(PublicId.SUBJECT, "subject_id")

        def act(now: Any) -> Acted:
            row = rekeys.expire(
                controller_id=self.controller_id,
                subject_id=subject_id,
                group=fields["group"],
                actor=self.caller.actor,
                now=now,
            )
            return Acted(201, ids.format(PublicId.ERASURE, row.erasure_id), self.shown(row))

        return self.once(act, again=self.again)


class Expiry(ExpiryView):
    access = {"GET": _READERS}

    @extend_schema(operation_id="get_expiry", responses={200: ExpirySerializer})
    def get(self, _request: Request, **_path: str) -> Response:
        """How far an expiry is."""
        return Response(self.shown(self.found()))


class ExpiryCertificates(ExpiryView):
    access = {"GET": _READERS}

    @extend_schema(operation_id="list_expiry_certificates", responses={200: CertificatesSerializer})
    def get(self, _request: Request, **_path: str) -> Response:
        """The certificates of the expiry; none until it was verified."""
        return with_certificates(self, self.found().erasure_id)
