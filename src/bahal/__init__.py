"""Bahal (बहाल, restored): a distribution company's smart meters and its money in one system.

The rooms, and who may look into which, are told in each room's own docstring and kept by import-linter.
"""

__version__ = "0.1.0"
