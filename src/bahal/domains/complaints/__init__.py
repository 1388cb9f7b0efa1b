"""Complaints: what a consumer says is wrong, what the office answers, and that only he closes it."""
