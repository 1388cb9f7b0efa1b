"""Tests of tariffs: golden bills, the laws of the engine, each rule, and bad files."""
