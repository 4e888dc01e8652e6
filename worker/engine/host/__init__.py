"""The worker's side of the engine process: start it, watch it, pass jobs to it."""
