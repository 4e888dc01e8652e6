"""Removes expired audio, excess records, and files that no record references."""
