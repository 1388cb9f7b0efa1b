"""One command per performance claim, each printing its runs and, last, a ratio against a named reference."""
