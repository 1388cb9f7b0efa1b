"""Meters: which meter hangs on which connection, and what is last known of its relay."""
