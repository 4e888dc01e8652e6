"""The text encoder: a prompt becomes the vectors that the language model looks at, without importing transformers."""
