"""Supply: the desired state of each connection, drives, and orders for relays with their life."""
