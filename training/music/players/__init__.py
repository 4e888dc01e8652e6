"""Players: each writes the events of one stream from a plan."""
