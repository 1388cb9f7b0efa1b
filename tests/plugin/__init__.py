"""What pytest loads before anything else: the databases of a run, and what the machine has."""
