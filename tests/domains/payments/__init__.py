"""The payments domain: allocation, receipts, counters."""
