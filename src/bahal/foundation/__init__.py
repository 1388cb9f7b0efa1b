"""What every domain stands on and Django may enter: audit, locks, the bell, transactions."""
