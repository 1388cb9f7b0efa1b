"""Interval readings at the scale of a state: Delta tables, and validation, estimation and editing (VEE) over them.

Plain Python over Arrow and numpy: no Django, no socket of its own. One code runs on a laptop and, by setting one
address, on a cluster. Energy is integer Wh, voltage tenths of a volt, current milliamperes, days are days in India.
"""
