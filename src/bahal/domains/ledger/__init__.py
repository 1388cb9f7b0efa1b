"""The ledger: double entry in integer paise, balanced per transaction by the database, never edited."""
