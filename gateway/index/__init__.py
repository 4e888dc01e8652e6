"""What the gateway keeps in memory: all job records, and the workers that announced themselves."""
