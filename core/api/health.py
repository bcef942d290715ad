from django.http import HttpRequest, JsonResponse
from django.views.decorators.http import require_safe

from core import doctor


@require_safe
def healthz(_request: HttpRequest) -> JsonResponse:
    """The process answers; nothing else is looked at."""
    return JsonResponse({"status": "ok"})


@require_safe
def readyz(_request: HttpRequest) -> JsonResponse:
    """200 when requests can be served, else 503 with the names of the checks that failed."""
    failed = [finding.name for finding in doctor.readiness() if not finding.is_right]
    if failed:
        return JsonResponse({"status": "not-ready", "failed": failed}, status=503)
    return JsonResponse({"status": "ready"})
