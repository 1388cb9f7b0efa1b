"""Tests, by room; `plugin` holds what they share."""
