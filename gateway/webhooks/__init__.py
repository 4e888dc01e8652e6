"""Webhooks: events of jobs, sent to the URLs that their requests named."""
