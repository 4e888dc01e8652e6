"""The worker's side of the engine process: starts it, watches it, and passes jobs to it."""
