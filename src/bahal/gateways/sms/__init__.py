"""SMS: the interface, a client over HTTP, and a centre that stands in for the operators'."""
