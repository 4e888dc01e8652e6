"""The command line and the local stack.

`cli` holds the `musicgen` command and its subcommands, `stack` runs the whole system as local processes for
`musicgen up`, `terminal` prints safely, and `containers` has the Dockerfiles and compose files.
"""
