"""Settings of the tests: the product's own, on an embedded or given PostgreSQL, app role.

`tests.servers.postgres` sets the DATABASE_* variables before this module is read.
"""

import os
from datetime import timedelta

os.environ.setdefault("LETHE_DEVELOPMENT", "1")
os.environ.setdefault("LETHE_KEY_STORE", "keyring")

from tests.servers import postgres

postgres.ensure()

from config.settings import *  # noqa: E402, F403

_SUFFIX = os.environ.get("LETHE_TEST_DB_SUFFIX", "")
DATABASES["owner"]["TEST"] = {"NAME": f"test_lethe{_SUFFIX}", "DEPENDENCIES": []}  # noqa: F405
DATABASES["default"]["TEST"] = {"MIRROR": "owner"}  # noqa: F405
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
ROOT_URLCONF = "config.urls_all"
SECURE_SSL_REDIRECT = False
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
}
EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
STATIC_ROOT.mkdir(parents=True, exist_ok=True)  # noqa: F405 - WhiteNoise warns without it
# What a test writes in a transaction of its own is not seen by a second connection.
LETHE_READ_AHEAD = timedelta(0)
