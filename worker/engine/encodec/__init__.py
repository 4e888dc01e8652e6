"""The codec: tokens become audio, chunk by chunk, while the rest is still being generated."""
