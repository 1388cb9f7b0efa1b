"""The interlock: who may be cut, when, and what happens if anything breaks in between."""
