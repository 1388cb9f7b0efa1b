"""Hindi: 24 नवंबर 2025, 24-11-2025, 10:00. The order is the same as in English; the words come from the catalogue."""

from bahal.settings.formats.en.formats import *  # noqa: F403
