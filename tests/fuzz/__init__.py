"""Inputs that nobody wrote: generated, mutated, and guided by what they reach."""
