"""Benchmarks. Most modules are scripts: `uv run python -m bench.gateway`."""
