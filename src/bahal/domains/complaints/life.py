"""A complaint's life in one table: what may follow upon what. Only its consumer closes it, and closed it stays."""

from collections.abc import Mapping

FOLLOWS: Mapping[str, frozenset[str]] = {
    "raised": frozenset({"taken_up", "answered", "closed"}),
    "taken_up": frozenset({"answered", "closed"}),
    "answered": frozenset({"answered", "reopened", "closed"}),
    "reopened": frozenset({"taken_up", "answered", "closed"}),
    "closed": frozenset(),
}
"""By the latest step; the same stands in the database (journeys/sql/58_complaints.sql), and a test asks both."""
