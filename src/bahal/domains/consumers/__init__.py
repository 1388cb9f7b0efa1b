"""Consumers: who a connection is billed to, and how he is reached."""
