"""Photographs that people in the field take, kept as files by what they hold."""
