"""Events and audio while a job runs, from NATS to one WebSocket client."""
