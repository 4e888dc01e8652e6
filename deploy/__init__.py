"""The `musicgen` command, the local stack that `musicgen up` runs, and the container files."""
