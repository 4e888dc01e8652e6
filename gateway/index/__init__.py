"""The gateway's memory: all job records, and the workers that announced themselves."""
