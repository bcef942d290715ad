import gc
import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
application = get_wsgi_application()

# After set-up, so that a request's effects reach their worker without waiting for a sweep.
import config.celery  # noqa: E402, F401

# What is loaded now stays: the collector need not walk it again for every batch of lines.
gc.collect()
gc.freeze()
