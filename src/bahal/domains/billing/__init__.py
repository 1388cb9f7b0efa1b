"""Bills: what was billed to a connection, when it fell due, and whether it may be enforced by cutting."""
