"""The only door to a relay: its own process, database role, configuration and keys. No Django."""
