"""EnCodec: decodes codes to audio, chunk by chunk, during generation; and encodes audio to codes before it."""
