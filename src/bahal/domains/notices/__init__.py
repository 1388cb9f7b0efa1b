"""Notices: the written notice of s.56(1) with its service, and every message with its delivery."""
