"""The web process: `granian --interface wsgi bahal.edges.wsgi:application`."""

import os

from django.core.wsgi import get_wsgi_application
from django.urls import resolve

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "bahal.settings")

application = get_wsgi_application()
resolve("/healthz")  # every door is built now, so that the first payer does not wait for it
