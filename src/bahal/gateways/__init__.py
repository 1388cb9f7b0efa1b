"""Outside services behind an interface, each with a faithful stand-in that runs on the same machine."""
