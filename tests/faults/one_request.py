"""One POST to the API in a process of its own: `one_request.py PATH TOKEN BODY [KEY]`."""

import sys

import django


def main() -> None:
    """Print the status, then the body."""
    django.setup()
    from django.test import Client

    path, token, body, *key = sys.argv[1:]
    headers = {"Authorization": f"Bearer {token}"}
    if key:
        headers["Idempotency-Key"] = key[0]
    answer = Client(raise_request_exception=False).post(
        f"/api/v1{path}",
        data=body,
        content_type="application/json",
        headers=headers,
    )
    sys.stdout.write(f"{answer.status_code}\n{answer.content.decode()}")


if __name__ == "__main__":
    main()
