"""The commands of `musicgen` that are clients of a running system."""
