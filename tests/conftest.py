"""Shared by all tests."""

import hypothesis

# Here, and not in the plugin alone: only a conftest's fixture takes the place of another plugin's.
from tests.plugin.databases import django_db_setup

__all__ = ["django_db_setup"]

# No deadline: two cores are shared, and a slow moment is no failure. Derandomised: a run is the same for everyone.
hypothesis.settings.register_profile("bahal", deadline=None, derandomize=True, max_examples=100)
hypothesis.settings.load_profile("bahal")
