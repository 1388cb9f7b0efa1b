"""The head-end: links to meters, pacing, reads and pushes, in its own process on asyncio. No Django, no relay keys."""
