"""The head-end: links, pacing, reads and pushes."""
