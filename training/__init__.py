"""Training of the starter, the small model that ships with the service."""
