"""Django's settings, `DJANGO_SETTINGS_MODULE=bahal.settings`: one set for every process that enters Django.

What differs between instances comes from `BAHAL_HOME` and the environment, never from another settings module.
"""

from bahal.settings.base import *  # noqa: F403
