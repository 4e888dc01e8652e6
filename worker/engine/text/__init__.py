"""The text encoder of a prompt, without importing transformers."""
