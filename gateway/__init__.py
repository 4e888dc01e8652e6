"""HTTP and WebSocket in front of the queue. Imports no torch and starts in about a second."""
