"""Tests of dlms."""
