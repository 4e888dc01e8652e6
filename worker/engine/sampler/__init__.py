"""The sampler: a codec whose codebooks are the instruments of a score, and whose frames are sixteenth notes."""
