"""Validation, estimation and editing: named rules over days of intervals, each with its reason code and sentences."""
