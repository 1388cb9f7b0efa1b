"""Kill -9 at every named point, in the product as it runs; then the invariants, against the outside world's logs."""
