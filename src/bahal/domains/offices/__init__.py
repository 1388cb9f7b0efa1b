"""Offices: region, circle, division, sub-division and distribution centre, each under its parent."""
