"""Finds a model's checkpoint, loads its codec, and explains what went wrong."""
