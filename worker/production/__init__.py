"""Turns what an engine made into the files that a DAW opens."""
