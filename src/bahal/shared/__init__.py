"""Money, clock, periods, text, errors: plain Python that every room may use, the machine rooms too. No Django here."""
