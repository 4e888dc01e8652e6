"""Find a model's checkpoint, load its codec, and explain load errors."""
