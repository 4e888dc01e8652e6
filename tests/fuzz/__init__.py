"""Generated, mutated and coverage-guided input."""
