"""Staff: officers, their roles, offices and signing keys."""
