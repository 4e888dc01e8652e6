"""Encodes audio, spools and uploads the files, and publishes live audio."""
