"""Pulls jobs, generates their audio in an engine process, and stores it. Only `worker.engine` imports torch."""
