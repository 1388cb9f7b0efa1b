"""Fieldwork: what a command could not do from afar becomes a task for a lineman, with its reason."""
