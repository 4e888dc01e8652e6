"""Measurements of the running system. Each module is a script: `uv run python -m bench.gateway`."""
