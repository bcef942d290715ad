"""Prometheus metrics. Labels are codes and route patterns; never an id, never a raw path.

With PROMETHEUS_MULTIPROC_DIR set, the figures of all workers of a host are added up. The view
has no login of its own: publish it to the monitoring network only.
"""

import os
from collections.abc import Iterable, Mapping
from contextlib import suppress

from django.conf import settings
from django.db import DatabaseError
from django.http import HttpRequest, HttpResponse
from django.utils.module_loading import import_string
from prometheus_client import (
    CONTENT_TYPE_LATEST,
    REGISTRY,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    generate_latest,
    multiprocess,
)

_REQUESTS = Counter("lethe_http_requests", "Requests answered", ["method", "route", "status"])
_REQUEST_SECONDS = Histogram("lethe_http_request_seconds", "Time to answer", ["method", "route"])
_EFFECTS = Counter(
    "lethe_effects_settled", "Effects by the state they were left in", ["kind", "state"]
)
_EFFECT_SECONDS = Histogram("lethe_effect_seconds", "Time an effect's run took", ["kind"])
_STUCK = Counter("lethe_effects_stuck", "Effects handed to an operator", ["kind"])
_GATE = Gauge("lethe_gate_open", "1 while data is served", multiprocess_mode="mostrecent")
_GATE_REASON = Gauge(
    "lethe_gate_reason",
    "Why the gate stands as it does",
    ["reason"],
    multiprocess_mode="mostrecent",
)
_WAITING = Gauge(
    "lethe_effects_waiting",
    "Effects that wait for an operator",
    ["kind"],
    multiprocess_mode="mostrecent",
)
_UNJOURNALED, _UNJOURNALED_SECONDS, _UNVERIFIED, _UNVERIFIED_SECONDS, _LOST = (
    Gauge(name, text, multiprocess_mode="mostrecent")
    for name, text in (
        ("lethe_unjournaled_acts", "Acts that are announced to the journal and not in it"),
        ("lethe_unjournaled_seconds", "How long the oldest of them has waited"),
        ("lethe_erasures_unverified", "Erasures that were fenced and are not verified"),
        ("lethe_erasures_unverified_seconds", "How long ago the oldest of them was fenced"),
        ("lethe_key_shares_lost", "Key shares that the key store lacks though nobody erased them"),
    )
)
_UNSEALED, _SEALED_SECONDS, _LOG_SIZE, _STAMPED_SECONDS, _STATUS_SECONDS = (
    Gauge(name, text, multiprocess_mode="mostrecent")
    for name, text in (
        ("lethe_log_unsealed_leaves", "Leaves that wait for the log's next batch"),
        ("lethe_log_published_seconds", "How long ago the log's last head was signed"),
        ("lethe_log_size", "Entries of the tree that is published"),
        ("lethe_log_stamped_seconds", "How long ago a head was stamped; 0 without an authority"),
        ("lethe_status_published_seconds", "Age of the oldest status list's newest version"),
    )
)
_UNANCHORED, _CHAIN_STUCK, _CHAIN_HALTED = (
    Gauge(name, text, ["chain"], multiprocess_mode="mostrecent")
    for name, text in (
        ("lethe_chain_unanchored_seconds", "Age of the oldest head that no final block has"),
        ("lethe_chain_stuck", "1 while an anchor waits for a lower price or for funds"),
        ("lethe_chain_halted", "1 while anchoring waits for an operator"),
    )
)
_INTEGRITY = Counter("lethe_integrity_violations", "What must not be, and was", ["code"])


def request_finished(*, method: str, route: str, status: int, seconds: float) -> None:
    """Count one answered request; `route` is the URL pattern."""
    _REQUESTS.labels(method, route, str(status)).inc()
    _REQUEST_SECONDS.labels(method, route).observe(seconds)


def effect_settled(*, kind: str, state: str) -> None:
    """Count how one run of an effect ended; `lease-lost` when another worker had taken over."""
    _EFFECTS.labels(kind, state).inc()


def effect_finished(*, kind: str, seconds: float) -> None:
    """Observe how long one run of an effect took."""
    _EFFECT_SECONDS.labels(kind).observe(seconds)


def effect_stuck(*, kind: str) -> None:
    """Count an effect handed to an operator; alert on any."""
    _STUCK.labels(kind).inc()


def gate_measured(*, is_open: bool, reason: str, reasons: Iterable[str]) -> None:
    """Say how the gate stands, and which of `reasons` is why; alert when it is closed."""
    _GATE.set(int(is_open))
    for one in reasons:
        _GATE_REASON.labels(one).set(int(one == reason))


def effects_waiting(counts: Mapping[str, int]) -> None:
    """Say how many effects of each kind wait for an operator; alert when any does."""
    for kind in {*counts, *settings.LETHE_EFFECTS}:
        _WAITING.labels(kind).set(counts.get(kind, 0))


def acts_unjournaled(*, count: int, seconds: float) -> None:
    """Say what the journal does not know yet; alert when the oldest is minutes old."""
    _UNJOURNALED.set(count)
    _UNJOURNALED_SECONDS.set(seconds)


def erasures_measured(*, unverified: int, seconds: float) -> None:
    """Say what the eraser and the attester still owe; alert when the oldest is hours old."""
    _UNVERIFIED.set(unverified)
    _UNVERIFIED_SECONDS.set(seconds)


def keys_lost(count: int) -> None:
    """Say how many key shares are LOST; alert when any is."""
    _LOST.set(count)


def log_measured(*, unsealed: int, seconds: float, size: int) -> None:
    """Say what waits for the log and how old its last head is; alert when that grows."""
    _UNSEALED.set(unsealed)
    _SEALED_SECONDS.set(seconds)
    _LOG_SIZE.set(size)


def outside_measured(*, stamped: float, status: float) -> None:
    """Say how old the last timestamp and the oldest status list are; alert when they grow."""
    _STAMPED_SECONDS.set(stamped)
    _STATUS_SECONDS.set(status)


def chain_measured(chain: str, *, unanchored: float, is_stuck: bool, is_halted: bool) -> None:
    """Say how far behind a chain is; alert when that grows, and on the other two at once."""
    _UNANCHORED.labels(chain).set(unanchored)
    _CHAIN_STUCK.labels(chain).set(int(is_stuck))
    _CHAIN_HALTED.labels(chain).set(int(is_halted))


def integrity_violated(*, code: str) -> None:
    """Count an integrity violation; alert on any."""
    _INTEGRITY.labels(code).inc()


def metrics(_request: HttpRequest) -> HttpResponse:
    """The figures in Prometheus's text format."""
    for path in settings.LETHE_METRIC_PROBES:
        with suppress(DatabaseError):
            import_string(path)()
    registry: CollectorRegistry = REGISTRY
    if "PROMETHEUS_MULTIPROC_DIR" in os.environ:
        registry = CollectorRegistry()
        multiprocess.MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
    return HttpResponse(generate_latest(registry), content_type=CONTENT_TYPE_LATEST)
