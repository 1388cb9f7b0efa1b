"""The cash counter's pages."""
