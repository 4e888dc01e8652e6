"""The local stack behind `musicgen up`: NATS, S3, workers and gateway as child processes of one supervisor."""
