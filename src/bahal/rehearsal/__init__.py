"""The demo's people, their days and their habits; nothing in the product imports it."""
