"""RFC 3161 timestamps over published heads: a second anchor that needs neither a chain nor us.

Optional: nothing is asked without LETHE_TSA_URL and LETHE_TSA_ROOTS. The authority is believed in
nothing: what it answers is verified before it is stored, and otherwise asked for again later.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from django.conf import settings
from rfc3161_client import (
    HashAlgorithm,
    TimeStampRequest,
    TimestampRequestBuilder,
    TimeStampResponse,
    VerificationError,
    VerifierBuilder,
    decode_timestamp_response,
)
from rfc3161_client.tsp import PKIStatus

from contracts.errors import AuthorityUnavailable, NotLogged, TimestampRefused
from contracts.models import LogCheckpoint, LogTimestamp
from contracts.services import asking, generations, publishing
from core.unit_of_work import no_open_transaction, unit_of_work

#: How far the authority's clock and ours may be apart.
SKEW: Final = timedelta(minutes=5)
_OK: Final = 200
_SHA256: Final = x509.ObjectIdentifier("2.16.840.1.101.3.4.2.1")
#: What the libraries raise for content that they cannot read.
_UNREADABLE: Final = (
    ValueError, TypeError, UnsupportedAlgorithm, x509.InvalidVersion, x509.DuplicateExtension,
    x509.UnsupportedGeneralNameType,
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Authority:
    """Whom to ask, and the certificates that its own must lead to."""

    url: str
    roots: Sequence[x509.Certificate]


def is_configured() -> bool:
    """Whether there is an authority to ask."""
    return bool(settings.LETHE_TSA_URL and settings.LETHE_TSA_ROOTS)


def authority() -> Authority | None:
    """The one that is configured; None where none is.

    Raises TimestampRefused (`roots`) when the file of its certificates has none that can be read.
    """
    if not is_configured():
        return None
    try:
        content = Path(settings.LETHE_TSA_ROOTS).read_bytes()
        return Authority(settings.LETHE_TSA_URL, x509.load_pem_x509_certificates(content))
    except (OSError, ValueError):
        raise TimestampRefused(reason="roots") from None


@no_open_transaction
def stamp(*, now: datetime) -> LogTimestamp | None:
    """Have the newest published head stamped; None where there is nothing to do.

    Raises AuthorityUnavailable, TimestampRefused; then nothing is stored.
    """
    asked, head = authority(), _unstamped()
    if asked is None or head is None:
        return None
    text = publishing.head_of(head.batch, origin=head.origin).text().encode()
    request = TimestampRequestBuilder(data=text, hash_algorithm=HashAlgorithm.SHA256).build()
    found = verified(_answer(asked, request), request, text, roots=asked.roots, now=now)
    row = LogTimestamp(
        checkpoint=head,
        authority=_place(asked.url),
        token=found.time_stamp_token(),
        stamped_at=found.tst_info.gen_time,
        obtained_at=now,
    )
    with unit_of_work():
        LogTimestamp.objects.bulk_create([row], ignore_conflicts=True)
    return row


def verified(
    content: bytes,
    request: TimeStampRequest,
    text: bytes,
    *,
    roots: Sequence[x509.Certificate],
    now: datetime,
) -> TimeStampResponse:
    """The answer `content` as a token over `text` that answers `request`.

    Raises TimestampRefused; its `reason` says what does not hold: `garbled`, `status`, `imprint`,
    `nonce`, `time`, `certificate`, `signature`.
    """
    try:
        answer = decode_timestamp_response(content)
        _require("status", holds=PKIStatus(answer.status) is PKIStatus.GRANTED)
        info = answer.tst_info
        imprint = (info.message_imprint.hash_algorithm, info.message_imprint.message)
        _require("imprint", holds=imprint == (_SHA256, sha256(text).digest()))
        _require("nonce", holds=request.nonce is not None and info.nonce == request.nonce)
        _require("time", holds=abs(info.gen_time - now) <= SKEW)
        _require("certificate", holds=_names_one_signer(answer))
    except _UNREADABLE:
        raise TimestampRefused(reason="garbled") from None
    verifier = VerifierBuilder(nonce=request.nonce, roots=list(roots)).build()
    try:
        verifier.verify_message(answer, text)
    except (VerificationError, *_UNREADABLE):
        raise TimestampRefused(reason="signature") from None
    return answer


def newest(*, number: int) -> LogTimestamp:
    """The newest head of this generation that is stamped, with its token. Raises NotLogged."""
    generation = generations.find(number)
    rows = LogTimestamp.objects.select_related("checkpoint")
    rows = rows.filter(checkpoint__origin="" if generation is None else generation.origin)
    found = rows.order_by("-checkpoint_id").first()
    if found is None:
        raise NotLogged
    return found


def _unstamped() -> LogCheckpoint | None:
    try:
        head = publishing.latest()
    except NotLogged:
        return None
    return None if LogTimestamp.objects.filter(checkpoint=head).exists() else head


def _answer(asked: Authority, request: TimeStampRequest) -> bytes:
    try:
        answer = asking.post(
            asked.url,
            request.as_bytes(),
            content_type="application/timestamp-query",
            timeout=settings.LETHE_ASKING_TIMEOUT,
        )
    except asking.NoAnswerError as error:
        raise AuthorityUnavailable(reason=error.reason) from None
    if answer.status != _OK:
        raise AuthorityUnavailable(reason="status")
    return answer.body


def _place(url: str) -> str:
    """The address without what may be secret in it: user, password and query."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"


def _names_one_signer(answer: TimeStampResponse) -> bool:
    """Whether the token brings one certificate of each name and number.

    With two that claim to be the signer's, the one whose key signed and the one that may stamp
    could be different.
    """
    certificates = map(x509.load_der_x509_certificate, answer.signed_data.certificates)
    counts = Counter((one.issuer, one.serial_number) for one in certificates)
    return bool(counts) and max(counts.values()) == 1


def _require(reason: str, *, holds: bool) -> None:
    if not holds:
        raise TimestampRefused(reason=reason)
