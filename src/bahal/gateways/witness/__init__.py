"""The second place of the audit's roots: whoever rewrites the database cannot rewrite what stands there."""
