"""The offline verifier as one page, for whoever was sent a certificate; it sends nothing back."""

import re
from functools import cache
from pathlib import Path
from typing import Final

from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_safe

_PAGE: Final = Path(__file__).resolve().parents[1] / "verifier_js" / "page.html"
_POLICY: Final = re.compile(r'http-equiv="Content-Security-Policy" content="([^"]+)"')


@require_safe
def page(_request: HttpRequest) -> HttpResponse:
    """The file `contracts/verifier_js/page.html`, under its own policy, which forbids connections.

    A page from the issuer may say what the issuer likes: keep a copy, or take it from elsewhere.
    """
    content, policy = _page()
    answer = HttpResponse(content, content_type="text/html; charset=utf-8")
    answer["Content-Security-Policy"] = f"{policy}; frame-ancestors 'none'"
    answer["Cache-Control"] = "no-cache"
    return answer


@cache
def _page() -> tuple[bytes, str]:
    content = _PAGE.read_bytes()
    found = _POLICY.search(content.decode())
    if found is None:
        raise RuntimeError("the verifier's page has no policy; build it anew")
    return content, found.group(1)
