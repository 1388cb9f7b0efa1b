"""Tariffs: schedules as data, and a pure engine that turns determinants into explained lines of a bill."""
