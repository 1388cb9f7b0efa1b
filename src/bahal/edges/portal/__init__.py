"""What consumers see without logging in."""
