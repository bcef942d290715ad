from django.http import HttpRequest, JsonResponse
from django.views.decorators.http import require_safe

from core import doctor


@require_safe
def healthz(_request: HttpRequest) -> JsonResponse:
    """The process answers; nothing else is looked at."""
    return JsonResponse({"status": "ok"})


@require_safe
def readyz(_request: HttpRequest) -> JsonResponse:
    """200 when requests can be served, else 503 with the names of the checks that failed.

    Beside it stand the details of LETHE_READY_DETAILS, such as the gate: a web process whose
    gate is closed still takes withdrawals and requests, so it stays ready and says so.
    """
    failed = [finding.name for finding in doctor.readiness() if not finding.is_right]
    details = doctor.details()
    if failed:
        return JsonResponse({"status": "not-ready", "failed": failed, **details}, status=503)
    return JsonResponse({"status": "ready", **details})
