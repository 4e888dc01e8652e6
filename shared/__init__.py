"""What gateway, worker and local stack must agree on: settings, messages, subjects, bus, storage."""
