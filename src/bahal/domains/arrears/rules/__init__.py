"""The rules of arrears, each a pure function over facts that a journey gathers: integer paise, days in India."""
