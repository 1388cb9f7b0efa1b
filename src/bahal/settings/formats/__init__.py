"""Dates and times as they are written in India, 24 hours: Django's own Hindi formats print 00:50 as "12:50 बजे"."""
