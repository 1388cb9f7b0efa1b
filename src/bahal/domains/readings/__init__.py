"""Readings: registers read from meters, one value per meter, register and time."""
