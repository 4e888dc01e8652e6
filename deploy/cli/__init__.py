"""The `musicgen` command: `main` parses the command line, and every subcommand has a module."""
