"""EnCodec: decodes codes to audio, chunk by chunk, during generation."""
