"""The bank: the interface, a client over HTTP, and a counter that stands in for it."""
