"""Paper: bills and receipts typeset as PDF, in Hindi and English, from sheets whose every word is already decided."""
