"""Writes the events of each stream from a plan."""
