"""The signing page: served by the interlock itself, from its own derivation, on an origin of its own."""
