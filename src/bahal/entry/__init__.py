"""The command line and the supervisor that start the rooms; nothing imports it."""
