"""Live events and audio of jobs, from NATS to WebSocket clients."""
