"""The life of an association, for client and server."""
