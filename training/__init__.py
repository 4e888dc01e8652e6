"""Training of the starter, the small model that the service brings along."""
