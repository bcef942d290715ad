"""One POST to the API in a process of its own: `one_request.py PATH TOKEN BODY`."""

import sys

import django


def main() -> None:
    """Print the status, then the body."""
    django.setup()
    from django.test import Client

    path, token, body = sys.argv[1:]
    answer = Client(raise_request_exception=False).post(
        f"/api/v1{path}",
        data=body,
        content_type="application/json",
        headers={"Authorization": f"Bearer {token}"},
    )
    sys.stdout.write(f"{answer.status_code}\n{answer.content.decode()}")


if __name__ == "__main__":
    main()
