"""The verbs of the command line, a file for each person's kind of work."""
