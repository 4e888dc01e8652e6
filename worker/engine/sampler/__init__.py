"""The sampler: a codec whose codebooks are the streams of a score and whose frames are sixteenth notes."""
