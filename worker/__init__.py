"""Pulls jobs, generates audio in an engine process, stores it. Only `worker.engine` imports torch."""
