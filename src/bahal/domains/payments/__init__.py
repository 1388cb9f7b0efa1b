"""Payments: money received, once per idempotency key, for ever."""
