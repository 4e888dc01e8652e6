"""What the gateway, the worker and the command line share: settings, messages, NATS and S3 access."""
