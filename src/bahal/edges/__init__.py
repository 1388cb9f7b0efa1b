"""Edges translate, nothing else: a request, a task or a form becomes one call of a journey, its result an answer."""
