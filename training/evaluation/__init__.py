"""Measures how well a checkpoint follows its captions, in the notes and in the audio."""
