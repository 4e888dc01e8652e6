"""Reads prompts: what people write, and what it means for music. No model and no torch is needed."""
