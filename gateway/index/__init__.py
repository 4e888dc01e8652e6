"""The gateway's memory: every job record, and the workers that announce themselves."""
